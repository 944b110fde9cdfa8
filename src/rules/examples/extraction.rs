//! Measures extraction without a model on conversations: `extraction FILE [--sample N] [--seed N] [--misses] [--alone]`.
//!
//! FILE holds one conversation per line: `{speakers, memories: [{id, date, speaker, text}], questions: [{question, answer,
//! category, evidence: [ids]}]}`, the form that the LoCoMo data set is easily brought into. The turns of a session (`session`, or
//! the same date) are read together, each as a message by its speaker; `--alone` reads every turn by itself.
//!
//! A turn is evidence when a question of the categories 1 to 4 names it. Its key words for that question are the content
//! words of the answer that occur in the turn; the speakers' names are none. The turn is covered when, for each of its
//! questions, each of the key words is in a memory of the turn; `in one` is the share in which one single memory holds
//! them all. Where the answer is worded otherwise ("in 2022" for "last year"), a memory must hold half of the question's
//! content words that occur in the turn, and where even those are missing the turn must yield a memory at all.
//! Words are compared by their stems; a word for a date also counts as held by a memory that carries the date.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::error::Error;
use std::time::Instant;

use rules::extract::{Input, Memory, extract};
use rules::time::{format_micros, parse_micros};
use serde_json::{Value, json};

const STOP_WORDS: &str = "a about after again all also am an and any anything are as at be because been before being both but by \
    can could did do does doing done each either ever every few for from get gets getting give go goes going gone got had has have \
    having he her here hers him his how i if in into is it its itself just kind know let like likely lot made make makes many may me \
    might more most much my myself no none not now of off often on once one only or other our out over own perhaps really so some \
    someone something sort such take than thank that the their them then there these they thing things think this those through to \
    too towards up us use used very want wants was way we went were what when where whether which while who whom whose why will with \
    would yes you your yourself since both able between during because feel feels new well good great";

/// Words for dates, which resolving replaces.
const DATE_WORDS: &str = "today tonight yesterday tomorrow day days week weeks weekend month months year years ago last next night morning \
    afternoon evening monday tuesday wednesday thursday friday saturday sunday january february march april june july august \
    september october november december recently few couple two three four five";

/// A turn of a conversation.
struct Turn {
    speaker: String,
    text: String,
    date: String,
    session: Value,
}

/// The content words of a text, by their stems.
struct Words {
    stop: HashSet<&'static str>,
    dates: HashSet<String>,
}

impl Words {
    fn new() -> Self {
        Words {
            stop: STOP_WORDS.split_whitespace().collect(),
            dates: DATE_WORDS.split_whitespace().map(stem).collect(),
        }
    }

    fn of(&self, text: &str) -> BTreeSet<String> {
        let lower = text.to_lowercase().replace('’', "'");
        let words = lower.split(|c: char| !c.is_alphanumeric() && c != '\'').map(|word| word.trim_matches('\''));
        let words = words.map(|word| word.strip_suffix("'s").unwrap_or(word));
        words.filter(|w| !w.is_empty() && !self.stop.contains(w) && !w.contains('\'')).map(stem).collect()
    }
}

/// A word without its inflection: enough to see that "camped" and "camping" are one.
fn stem(word: &str) -> String {
    let long = |stem: &&str| stem.chars().count() >= 3;
    let cut =
        ["ies", "ied", "ing", "ed", "es", "s", "y", "e"].iter().find_map(|end| word.strip_suffix(end).filter(long));
    let mut stem = cut.unwrap_or(word).to_owned();
    let doubled = stem.len() > 3 && stem.as_bytes()[stem.len() - 1] == stem.as_bytes()[stem.len() - 2];
    if stem.ends_with('e') || doubled && !stem.ends_with("ss") && stem.is_ascii() {
        stem.pop();
    }
    stem
}

/// The memories of each turn, read as the messages of its session or alone.
fn read_turns(turns: &[(String, Turn)], alone: bool) -> Vec<Vec<Memory>> {
    let mut memories = Vec::new();
    for session in turns.chunk_by(|(_, a), (_, b)| !alone && a.session == b.session) {
        let message = |(_, turn): &(String, Turn)| json!({ "role": "user", "name": turn.speaker, "content": turn.text, "timestamp": turn.date });
        let text = Value::Array(session.iter().map(message).collect()).to_string();
        let mut read: Vec<Vec<Memory>> = session.iter().map(|_| Vec::new()).collect();
        let input = Input { text: &text, input_type: Some("chat history"), ..Input::default() };
        let extraction = extract(&input);
        for memory in extraction.memories {
            if let Some(at) = memory.message {
                read[at].push(memory);
            }
        }
        memories.append(&mut read);
    }
    memories
}

/// How a turn that answers questions fared.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    Nothing,
    Other,
    Spread,
    InOne,
}

/// The words that the memories of a turn must hold.
struct Keys {
    words: BTreeSet<String>,
    /// Words of the question, of which half will do.
    of_question: bool,
}

fn judge(words: &Words, memories: &[Memory], keys: &Keys) -> Outcome {
    if memories.is_empty() {
        return Outcome::Nothing;
    }
    let held = |memory: &Memory| -> BTreeSet<&String> {
        let held = words.of(&memory.content);
        let dated = memory.event_date.is_some();
        keys.words.iter().filter(|key| held.contains(*key) || dated && words.dates.contains(*key)).collect()
    };
    let held: Vec<BTreeSet<&String>> = memories.iter().map(held).collect();
    let most = held.iter().map(BTreeSet::len).max().unwrap_or(0);
    let together = held.iter().flatten().collect::<BTreeSet<_>>().len();
    match keys.words.len() {
        all if most == all || keys.of_question && most * 2 >= all => Outcome::InOne,
        all if together == all => Outcome::Spread,
        _ => Outcome::Other,
    }
}

fn print_memory(memory: &Memory) {
    let lasting = if memory.is_static { "static" } else { "dynamic" };
    let day = |micros: i64| format_micros(micros).map(|text| text[..10].to_owned()).unwrap_or_default();
    let mut head = format!("{} {lasting}", memory.kind.as_str());
    if let Some(slot) = &memory.slot {
        head.push_str(&format!(" {slot}"));
    }
    if memory.negated {
        head.push_str(" negated");
    }
    if let Some(at) = memory.event_date {
        head.push_str(&format!(" at {}", day(at)));
    }
    if let Some(at) = memory.forget_after {
        head.push_str(&format!(" until {}", day(at)));
    }
    println!("    {head} | {}", memory.content);
}

fn percent(part: usize, whole: usize) -> f64 {
    100.0 * part as f64 / whole.max(1) as f64
}

/// The figures of one conversation, or of all.
#[derive(Default)]
struct Tally {
    turns: usize,
    yielding: usize,
    memories: usize,
    evidence: usize,
    outcomes: BTreeMap<Outcome, usize>,
}

impl Tally {
    fn add(&mut self, other: &Tally) {
        self.turns += other.turns;
        self.yielding += other.yielding;
        self.memories += other.memories;
        self.evidence += other.evidence;
        for (outcome, count) in &other.outcomes {
            *self.outcomes.entry(*outcome).or_default() += count;
        }
    }

    fn print(&self, name: &str) {
        let count = |outcome| self.outcomes.get(&outcome).copied().unwrap_or(0);
        println!(
            "{name:<14} {:>6} {:>8} {:>9.1}% {:>9} {:>9.1}% {:>9.1}% {:>9.1}% {:>9.1}%",
            self.turns,
            self.memories,
            percent(self.yielding, self.turns),
            self.evidence,
            percent(count(Outcome::InOne) + count(Outcome::Spread), self.evidence),
            percent(count(Outcome::InOne), self.evidence),
            percent(count(Outcome::Other), self.evidence),
            percent(count(Outcome::Nothing), self.evidence),
        );
    }
}

struct Options {
    file: String,
    sample: usize,
    misses: bool,
    alone: bool,
    seed: u64,
}

fn options() -> Result<Options, Box<dyn Error>> {
    let mut options = Options { file: String::new(), sample: 0, misses: false, alone: false, seed: 1 };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut number =
            || arguments.next().ok_or("a number is missing")?.parse::<u64>().map_err(Box::<dyn Error>::from);
        match argument.as_str() {
            "--sample" => options.sample = usize::try_from(number()?)?,
            "--seed" => options.seed = number()?,
            "--misses" => options.misses = true,
            "--alone" => options.alone = true,
            _ => options.file = argument,
        }
    }
    if options.file.is_empty() {
        return Err("usage: extraction FILE [--sample N] [--seed N] [--misses] [--alone]".into());
    }
    Ok(options)
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn main() -> Result<(), Box<dyn Error>> {
    let options = options()?;
    let words = Words::new();
    let mut all = Tally::default();
    let mut shown: Vec<(Turn, Vec<Memory>)> = Vec::new();
    let (mut seconds, mut bytes) = (0.0, 0);
    println!("conversation    turns memories   yielding  evidence    covered     in one      other    nothing");
    for (at, line) in std::fs::read_to_string(&options.file)?.lines().enumerate() {
        let conversation: Value = serde_json::from_str(line)?;
        let names = words.of(&conversation["speakers"].to_string());
        let mut turns: Vec<(String, Turn)> = Vec::new();
        for turn in conversation["memories"].as_array().ok_or("a conversation has no memories")? {
            let date = format_micros(parse_micros(turn["date"].as_str().ok_or("a turn has no date")?)?)
                .ok_or("an unwritable date")?;
            let session = if turn["session"].is_null() { turn["date"].clone() } else { turn["session"].clone() };
            let turn_text = text(&turn["text"]);
            bytes += turn_text.len();
            turns.push((text(&turn["id"]), Turn { speaker: text(&turn["speaker"]), text: turn_text, date, session }));
        }
        if at == 0 {
            // Compiling the rules is no part of the speed of reading.
            read_turns(&turns, options.alone);
        }
        let started = Instant::now();
        let mut read = read_turns(&turns, options.alone);
        seconds += started.elapsed().as_secs_f64();
        let place: HashMap<&str, usize> = turns.iter().enumerate().map(|(at, (id, _))| (id.as_str(), at)).collect();
        let mut tally = Tally { turns: turns.len(), ..Tally::default() };
        tally.yielding = read.iter().filter(|memories| !memories.is_empty()).count();
        tally.memories = read.iter().map(Vec::len).sum();
        let mut outcomes: BTreeMap<usize, (Outcome, String)> = BTreeMap::new();
        for question in conversation["questions"].as_array().into_iter().flatten() {
            if question["category"].as_i64() == Some(5) {
                continue;
            }
            for id in question["evidence"].as_array().into_iter().flatten() {
                let Some(&at) = id.as_str().and_then(|id| place.get(id)) else { continue };
                let said = words.of(&turns[at].1.text);
                let common = |text: &str| -> BTreeSet<String> {
                    words.of(text).intersection(&said).filter(|word| !names.contains(*word)).cloned().collect()
                };
                let answer = common(&text(&question["answer"]));
                let of_question = answer.is_empty();
                let keys = Keys {
                    words: if of_question { common(&text(&question["question"])) } else { answer },
                    of_question,
                };
                let outcome = judge(&words, &read[at], &keys);
                let sought = keys.words.iter().cloned().collect::<Vec<_>>().join(" ");
                let why = format!("{} | {} | {sought}", text(&question["question"]), text(&question["answer"]));
                let worst = outcomes.entry(at).or_insert((outcome, why.clone()));
                if outcome < worst.0 {
                    *worst = (outcome, why);
                }
            }
        }
        tally.evidence = outcomes.len();
        for (at, (outcome, why)) in &outcomes {
            *tally.outcomes.entry(*outcome).or_default() += 1;
            if options.misses && *outcome < Outcome::Spread {
                let kind = ["nothing", "other", "", ""][*outcome as usize];
                println!("{kind}: {}: {}\n    ({why})", turns[*at].1.speaker, turns[*at].1.text);
                read[*at].iter().for_each(print_memory);
            }
        }
        tally.print(&text(&conversation["conv"]));
        all.add(&tally);
        shown.extend(turns.drain(..).map(|(_, turn)| turn).zip(read.drain(..)));
    }
    all.print("all");
    println!("{:.0} turns/s, {:.2} MB/s on one core", all.turns as f64 / seconds, bytes as f64 / seconds / 1e6);
    let mut state = options.seed;
    let mut random = |below: usize| {
        // SplitMix64: the sample is the same for a seed on every machine.
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((z ^ (z >> 31)) % (below as u64)).unwrap_or(0)
    };
    shown.retain(|(_, memories)| !memories.is_empty());
    for _ in 0..options.sample.min(shown.len()) {
        let (turn, memories) = shown.swap_remove(random(shown.len()));
        println!("\n{}: {}", turn.speaker, turn.text);
        memories.iter().for_each(print_memory);
    }
    Ok(())
}
