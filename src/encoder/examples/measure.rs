//! Measures a packed model on this CPU: `measure MODEL.mpm [SECONDS]`. One thread; times are CPU time, the best of the rounds
//! that so many seconds have room for, three unless it is said.

use encoder::{Model, Output, Scratch};
use std::fs;
use std::time::Instant;

/// CPU time of this thread in milliseconds, as the kernel accounts it.
fn cpu_ms() -> f64 {
    let stat = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    stat.split(' ').next().and_then(|ns| ns.parse::<f64>().ok()).unwrap_or(f64::NAN) / 1e6
}

fn memory(key: &str) -> String {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(key));
    line.map_or_else(String::new, |value| value.trim_start_matches(':').trim().to_owned())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().ok_or("usage: measure MODEL.mpm [SECONDS]")?;
    let seconds: f64 = arguments.next().map_or(Ok(3.0), |seconds| seconds.parse())?;
    let before = memory("RssAnon");
    let start = Instant::now();
    let model = Model::open(&path)?;
    println!("{} {} kernels {}", model.name(), model.precision().name(), model.kernels());
    println!("open {:.3} ms", start.elapsed().as_secs_f64() * 1e3);
    let mut scratch = Scratch::new();
    let start = cpu_ms();
    model.encode("where does she live", Output::Sentence, &mut scratch);
    println!("first query {:.2} ms", cpu_ms() - start);
    for tokens in [5, 16, 64, 256] {
        let text = "word ".repeat(tokens - 2);
        let runs = 1000 / tokens;
        let begin = Instant::now();
        let mut best = f64::INFINITY;
        loop {
            let start = cpu_ms();
            for _ in 0..runs {
                let encoding = model.encode(&text, Output::Codes, &mut scratch);
                assert_eq!(encoding.tokens_read, tokens);
            }
            best = best.min((cpu_ms() - start) / runs as f64);
            if begin.elapsed().as_secs_f64() >= seconds {
                break;
            }
        }
        println!("{tokens:4} tokens: {best:.2} ms");
        println!("     private {} (at start {before}), shared {}", memory("RssAnon"), memory("RssFile"));
    }
    let long = "On day seven of the trip we hiked twelve kilometres; Zoë talked. ".repeat(200);
    let start = cpu_ms();
    let count = (0..100).map(|_| model.count_tokens(&long)).sum::<usize>();
    println!("tokenise: {:.3} us per token", (cpu_ms() - start) * 1e3 / count as f64);
    Ok(())
}
