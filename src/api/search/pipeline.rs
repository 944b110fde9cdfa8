//! The way of a question to its answers.
//!
//! 0. *Subjects.* A search of a whole project that has many looks into those whose texts come nearest.
//! 1. *Signatures.* One pass over the signatures of all texts of the subject, or of those that come into question where there
//!    are very many (see [`super::part`]): which of the question's words occur where, who spoke, in which conversation,
//!    when, and the code of the vector. Who is known to speak decides which words of the question are names.
//! 2. *Meaning.* The question, its names taken out, goes through the embedding model once, and the codes tell about how
//!    near every text is.
//! 3. *Short list.* All that is known by now is scored; the best hundred go on, or the best that pass a filter (see
//!    [`super::sieve`]).
//! 4. *Late interaction.* Their vectors and token codes are read and compared with the question's tokens.
//! 5. *Texts.* What the score keeps is read and returned.
//!
//! But for these two, no text is left out before it is scored, so a search is exact in its scope but for the estimate that
//! makes the short list, and a filter, however selective, loses nothing. Nothing is written: a search runs on a standby.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::time::{Duration, Instant};

use pgrx::datum::{FromDatum, IntoDatum};
use pgrx::spi::{self, SpiClient};
use rules::filter::Filter;
use rules::rank::{Census, Container, Cues, Late, Model, Question, Scored, cues, name_words};
use rules::respell;
use rules::signature::{self, Terms};

use super::Side;
use super::late::{Look, look};
use super::part::Part;
use super::pool::{self, Looked, Pool, PoolTexts};
use super::queries::{self, Keys, select};
use super::scan;
use super::sieve::{Place, Sieve};
use super::subjects::{Subjects, subjects};
use crate::api::embedding::{self, Meaning};
use crate::api::jsonb::JsonB;
use crate::error::{Result, internal, invalid_parameter_because};
use crate::gucs;

/// Texts that are compared with the question token by token: more find nothing that these do not.
const DEPTH: usize = 100;

/// As many when the caller asks for reranking.
const RERANK_DEPTH: usize = 400;

const MICROS_PER_DAY: i64 = 86_400_000_000;

/// A question and what it asks for.
pub struct Request<'a> {
    pub subject: Option<&'a str>,
    pub question: &'a str,
    pub sides: &'a [Side],
    pub filter: Option<Filter>,
    pub include_forgotten: bool,
    pub rerank: bool,
    pub rewrite: bool,
    pub threshold: f64,
    pub limit: usize,
    /// The vector of the question, if the caller has it.
    pub embedding: Option<Vec<f32>>,
    /// The id of a text that is scored whether or not it is among the best.
    pub explained: Option<&'a str>,
}

impl Request<'_> {
    /// How many texts of a side are looked at closer.
    pub fn depth(&self) -> usize {
        if self.rerank { RERANK_DEPTH } else { DEPTH }
    }
}

/// A text that a search found, with its score.
pub struct Hit {
    pub side: Side,
    pub subject: pgrx::Uuid,
    pub id: String,
    pub updated_at: i64,
    pub scored: Scored,
    /// Why it was not among those looked at closer, if it was not.
    pub left_out: Option<&'static str>,
}

/// How long each step took.
#[derive(Default)]
pub struct Stages {
    pub subjects: Duration,
    pub signatures: Duration,
    pub meaning: Duration,
    pub filter: Duration,
    pub shortlist: Duration,
    pub late: Duration,
}

/// The answers, best first, and how they came about.
pub struct Answers {
    pub hits: Vec<Hit>,
    pub stages: Stages,
    /// How many subjects and texts were read.
    pub subjects: usize,
    pub searched: usize,
    /// Of how many memories only those were read that came into question, if so.
    pub part_of: Option<u64>,
}

/// Where a search looks, and by which settings of the project.
pub struct Scope {
    pub project: pgrx::Uuid,
    pub subject: Option<pgrx::Uuid>,
    text_search_config: String,
    pub model: Model,
    now: i64,
    /// The embedding model whose vectors are compared: the configured one, if this database has vectors of it.
    pub vectors: Option<i16>,
}

/// The question as the texts are asked.
pub struct Asked {
    /// The places, among all terms that were counted, of those that are scored.
    pub terms: Vec<usize>,
    pub speakers: Vec<u32>,
    pub cues: Cues,
    /// None where there are no vectors to compare it with.
    pub meaning: Option<Meaning>,
}

/// Answers a question.
pub fn answer(client: &SpiClient<'_>, request: &Request<'_>) -> Result<Answers> {
    let scope = scope(client, request)?;
    let lexemes = lexemes(client, request.question, &scope)?;
    let terms = Terms::new(lexemes.iter().map(|lexeme| signature::term(lexeme)).collect());
    let looked =
        Looked { terms: &terms, model: scope.vectors, now: scope.now, include_forgotten: request.include_forgotten };
    let mut answers = Answers { hits: Vec::new(), stages: Stages::default(), subjects: 0, searched: 0, part_of: None };
    let mut clock = Clock::start();
    let Subjects { portions, mut meaning } = subjects(client, request, &scope)?;
    clock.lap(&mut answers.stages.subjects);
    let mut asked = None;
    for keys in portions {
        answers.subjects += keys.len();
        let mut clock = Clock::start();
        let mut part = Part::of(client, request, &scope)?;
        let mut pools = Vec::new();
        for side in request.sides {
            let of_side = match &mut part {
                Some(part) if *side == Side::Memories => vec![part.tail(client, &looked)?],
                _ => read(client, request, &scope, *side, &keys, &lexemes)?,
            };
            pools.push((*side, of_side));
        }
        clock.lap(&mut answers.stages.signatures);
        let asked = match &mut asked {
            Some(asked) => asked,
            None => {
                // Whoever speaks in one subject may be a stranger to the next.
                let alone = matches!(keys, Keys::One(_));
                let pools = || pools.iter().flat_map(|(_, pools)| pools);
                let known = |hash| alone && pools().any(|pool| pool.speakers.contains(&hash));
                asked.insert(ask(client, request, &scope, &lexemes, known, meaning.take())?)
            }
        };
        clock.lap(&mut answers.stages.meaning);
        let mut census = None;
        let of_memories = pools.iter_mut().find(|(side, _)| *side == Side::Memories);
        if let (Some(part), Some((_, of_memories))) = (&part, of_memories) {
            if let Some(pool) = of_memories.first_mut() {
                census = part.complete(client, request, &scope, asked, &looked, pool)?;
            }
            match &census {
                Some(census) => answers.part_of = Some(census.texts),
                None => *of_memories = read(client, request, &scope, Side::Memories, &keys, &lexemes)?,
            }
        }
        clock.lap(&mut answers.stages.signatures);
        for (side, pools) in &mut pools {
            answers.searched += pools.iter().map(Pool::len).sum::<usize>();
            pools.iter_mut().for_each(|pool| pool.keep_terms(&asked.terms));
            if let (Some(model), Some(meaning)) = (scope.vectors, &asked.meaning) {
                scan::estimate(client, *side, &keys, model, meaning, pools)?;
            }
            let census = census.as_ref().filter(|_| *side == Side::Memories);
            score(client, request, &scope, asked, *side, &keys, pools, census, &mut answers, &mut clock)?;
            pools.drain(..).for_each(Pool::recycle);
        }
    }
    answers.hits.sort_by(best_first);
    Ok(answers)
}

/// The order of results: a total one, so that the same question gets the same answer.
fn best_first(a: &Hit, b: &Hit) -> Ordering {
    let evidence = b.scored.evidence.total_cmp(&a.scored.evidence);
    evidence.then(b.updated_at.cmp(&a.updated_at)).then_with(|| a.id.cmp(&b.id)).then(a.side.cmp(&b.side))
}

/// Scores the pools of one side and adds what is good enough to the answers.
#[allow(clippy::too_many_arguments, reason = "what a step of the pipeline is handed by the one before")]
fn score(
    client: &SpiClient<'_>,
    request: &Request<'_>,
    scope: &Scope,
    asked: &Asked,
    side: Side,
    keys: &Keys,
    pools: &[Pool],
    census: Option<&Census>,
    answers: &mut Answers,
    clock: &mut Clock,
) -> Result<()> {
    let question = Question { terms: asked.terms.len(), speakers: &asked.speakers, cues: &asked.cues, now: scope.now };
    let same = signature::hash(request.question);
    let texts: Vec<PoolTexts<'_>> = pools.iter().map(|pool| PoolTexts { pool, question: same }).collect();
    let containers: Vec<Container<'_, PoolTexts<'_>>> =
        texts.iter().map(|texts| Container::with_notes(question, texts, &scope.model, pool::notes(), census)).collect();

    // How many are looked at closer does not depend on how many are wanted, lest the order did.
    let depth = request.depth();
    let wanted = depth.max(request.limit);
    let mut sieve = request.filter.as_ref().map(|filter| Sieve::new(side, keys, filter, pools));
    clock.lap(&mut answers.stages.shortlist);
    let list = match &mut sieve {
        Some(sieve) => sieve.best(client, wanted, |count| best(&containers, count))?,
        None => best(&containers, wanted),
    };
    clock.lap(if sieve.is_some() { &mut answers.stages.filter } else { &mut answers.stages.shortlist });
    let mut looked = list[..list.len().min(depth)].to_vec();
    let extra = request.explained.and_then(|id| {
        let place = pools.iter().enumerate().find_map(|(pool, texts)| Some((pool, texts.find(id)?)))?;
        (!looked.contains(&place)).then_some(place)
    });
    looked.extend(extra);
    if let (Some(sieve), Some(extra)) = (&mut sieve, extra) {
        sieve.test(client, &[extra])?;
    }
    clock.lap(&mut answers.stages.shortlist);

    let looks = match (scope.vectors, &asked.meaning) {
        (Some(model), Some(meaning)) => {
            let name = |(pool, text): &Place| Ok((pools[*pool].subject, pools[*pool].id(*text)?));
            let named: Vec<_> = looked.iter().map(name).collect::<Result<_>>()?;
            look(client, side, model, meaning, &named)?
        }
        _ => vec![Default::default(); looked.len()],
    };
    let late: Vec<Late<'_>> = looks.iter().map(Look::late).collect();
    let mut scored = rank(&containers, &looked, &late);
    // Those that come after the ones looked at stay behind them.
    let last = scored.iter().filter(|(place, _)| Some(*place) != extra).map(|(_, scored)| scored);
    let last = last.min_by(|a, b| a.evidence.total_cmp(&b.evidence)).copied();
    let rest: Vec<Place> = list.iter().skip(depth).filter(|place| Some(**place) != extra).copied().collect();
    scored.extend(rank(&containers, &rest, &[]).into_iter().map(|(place, mut scored)| {
        scored.evidence = last.map_or(scored.evidence, |last| last.evidence.min(scored.evidence));
        scored.similarity = last.map_or(scored.similarity, |last| last.similarity.min(scored.similarity));
        (place, scored)
    }));
    clock.lap(&mut answers.stages.late);

    for ((at, text), scored) in scored {
        let pool = &pools[at];
        let explained = request.explained.is_some_and(|id| pool.id_bytes(text) == id.as_bytes());
        if scored.similarity >= request.threshold || explained {
            let left_out = if list.contains(&(at, text)) {
                None
            } else if !pool.is_eligible(text) && census.is_some() {
                Some("by the digests of its words and its vector it does not come into question among so many")
            } else if !pool.is_eligible(text) {
                Some("the filter keeps it out")
            } else if !containers[at].is_known(text) {
                Some("it has none of the question's words, nor have those around it, and no vector")
            } else {
                Some("too many texts are nearer at first sight, before they are compared token by token")
            };
            answers.hits.push(Hit {
                side,
                subject: pgrx::Uuid::from_bytes(pool.subject),
                id: pool.id(text)?.to_owned(),
                updated_at: pool.updated_at(text),
                left_out,
                scored,
            });
        }
    }
    containers.into_iter().map(Container::into_notes).for_each(pool::recycle);
    Ok(())
}

/// The best texts at first sight, best first: those of every subject, then the best of these.
fn best(containers: &[Container<'_, PoolTexts<'_>>], count: usize) -> Vec<Place> {
    let of_pool = |(pool, container): (usize, &Container<'_, PoolTexts<'_>>)| {
        let texts = container.shortlist(count).into_iter();
        // What nothing is known of is no answer, however low the threshold.
        texts.filter(|text| container.is_known(*text)).map(move |text| (pool, text)).collect::<Vec<_>>()
    };
    let mut list: Vec<Place> = containers.iter().enumerate().flat_map(of_pool).collect();
    if containers.len() > 1 {
        let evidence = |(pool, text): &Place| containers[*pool].evidence(*text);
        list.sort_by(|a, b| evidence(b).total_cmp(&evidence(a)).then(a.cmp(b)));
        list.truncate(count);
    }
    list
}

/// The scores of some texts, with what a closer look found of each.
fn rank(containers: &[Container<'_, PoolTexts<'_>>], places: &[Place], late: &[Late<'_>]) -> Vec<(Place, Scored)> {
    let mut scored = Vec::with_capacity(places.len());
    for (pool, container) in containers.iter().enumerate() {
        let of_pool = || (0..places.len()).filter(|at| places[*at].0 == pool);
        let texts: Vec<usize> = of_pool().map(|at| places[at].1).collect();
        let late: Vec<Late<'_>> = of_pool().filter_map(|at| late.get(at).copied()).collect();
        if !texts.is_empty() {
            scored.extend(container.rank(&texts, &late).into_iter().map(|scored| ((pool, scored.index), scored)));
        }
    }
    scored
}

/// Reads where to look. Fails where no project is established.
fn scope(client: &SpiClient<'_>, request: &Request<'_>) -> Result<Scope> {
    let rows = select(client, queries::SCOPE, &[request.subject.into(), gucs::embedding_model().into()])?;
    let row = rows.first();
    let settings: JsonB = required(row.get(4))?;
    Ok(Scope {
        project: required(row.get(1))?,
        subject: optional(row.get(2))?,
        text_search_config: required(row.get(3))?,
        model: scoring(&settings)?,
        now: required(row.get(5))?,
        // Of a model that is not at hand there may be vectors, but none of the question.
        vectors: if embedding::is_usable(request.embedding.as_deref())? { optional(row.get(6))? } else { None },
    })
}

/// The weights and the calibration of a search.
pub fn scoring(settings: &JsonB) -> Result<Model> {
    Model::from_json(&settings.0).map_err(|cause| invalid_parameter_because("invalid setting \"scoring\"", cause))
}

/// The words of a question as the project's text search configuration sees them.
fn lexemes(client: &SpiClient<'_>, question: &str, scope: &Scope) -> Result<Vec<String>> {
    let arguments = [question.into(), scope.text_search_config.as_str().into()];
    let rows = select(client, queries::LEXEMES, &arguments)?;
    required(rows.first().get(1))
}

/// Reads the signatures of one side, with how often each word of the question occurs; if the question is to be
/// rewritten, words that nobody used count as those that they were probably meant to be.
fn read(
    client: &SpiClient<'_>,
    request: &Request<'_>,
    scope: &Scope,
    side: Side,
    keys: &Keys,
    lexemes: &[String],
) -> Result<Vec<Pool>> {
    let hashes = |spelling: &dyn Fn(&String) -> u32| Terms::new(lexemes.iter().map(spelling).collect());
    let signatures = |terms: &Terms, vocabulary: Option<&mut HashSet<u32>>| {
        let looked =
            Looked { terms, model: scope.vectors, now: scope.now, include_forgotten: request.include_forgotten };
        scan::signatures(client, side, keys, &looked, vocabulary)
    };
    let terms = hashes(&|lexeme| signature::term(lexeme));
    if !request.rewrite {
        return signatures(&terms, None);
    }
    let mut vocabulary = HashSet::new();
    let pools = signatures(&terms, Some(&mut vocabulary))?;
    let known = |word: &str| vocabulary.contains(&signature::term(word));
    let respelt = hashes(&|lexeme| signature::term(respell::nearest(lexeme, known).as_deref().unwrap_or(lexeme)));
    if respelt.hashes() == terms.hashes() { Ok(pools) } else { signatures(&respelt, None) }
}

/// Takes the names out of the question and gives it to the embedding model, unless the meaning of just that is known.
fn ask(
    client: &SpiClient<'_>,
    request: &Request<'_>,
    scope: &Scope,
    all: &[String],
    known: impl Fn(u32) -> bool,
    meaning: Option<Meaning>,
) -> Result<Asked> {
    let named = name_words(request.question, known);
    let counted = &all[..all.len().min(signature::QUESTION_TERMS)];
    let terms: Vec<usize> = if named.named.is_empty() {
        (0..counted.len()).collect()
    } else {
        let left = lexemes(client, &named.lexical, scope)?;
        (0..counted.len()).filter(|at| left.contains(&counted[*at])).collect()
    };
    let meaning = match (scope.vectors, meaning) {
        (Some(_), Some(meaning)) if named.spoken == request.question => Some(meaning),
        (Some(_), _) => embedding::understand(&named.spoken, request.embedding.as_deref())?,
        (None, _) => None,
    };
    let today = i32::try_from(scope.now.div_euclid(MICROS_PER_DAY)).unwrap_or(i32::MAX);
    let cues = cues::of_question(request.question, today);
    Ok(Asked { terms, speakers: named.named, cues, meaning })
}

/// Measures steps that follow one another.
struct Clock(Instant);

impl Clock {
    fn start() -> Self {
        Clock(Instant::now())
    }

    /// Adds the time since the last step to a total.
    fn lap(&mut self, total: &mut Duration) {
        let now = Instant::now();
        *total += now - self.0;
        self.0 = now;
    }
}

/// A column that may be null.
pub fn optional<T: FromDatum + IntoDatum>(value: spi::Result<Option<T>>) -> Result<Option<T>> {
    value.map_err(internal)
}

/// A column that is never null.
pub fn required<T: FromDatum + IntoDatum>(value: spi::Result<Option<T>>) -> Result<T> {
    optional(value)?.ok_or_else(|| internal("a column that is never null is null"))
}
