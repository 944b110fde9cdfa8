//! From the parts of a text to what they teach: each sentence passes the gate, becomes canonical, gets its dates and is
//! read by the rules.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Range;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use regex::Captures;

use super::correction::Said;
use super::dates::{self, Tense, Wall, When};
use super::fields::{self, Fields};
use super::gate::{self, Refusal};
use super::person::{self, Names};
use super::remark::Remark;
use super::rulebook::{Meaning, Rule, RuleBook, SUBJECT, groups_of};
use super::source::{self, Place, Setting, Speaker, Unit};
use super::talk::{self, Talk};
use super::{
    Extraction, Input, Kind, MAX_CONFIDENCE, MAX_INPUT_BYTES, MAX_MEMORIES, Memory, Message, answer, naming, sentence,
    zones,
};
use crate::same::plain_words;
use crate::time::{self, Moment};

/// What is said to "you" must say this much besides.
const MIN_WEIGHT_TO_OTHERS: usize = 3;

/// Below this a rule knows of nothing that the subject is or does: "This song reminds them of home".
const MIN_CONFIDENCE_OF_DEEDS: f32 = 0.6;

/// Reads the parts of a text, one after the other.
pub(super) struct Learner<'a> {
    pub(super) book: &'a RuleBook,
    pub(super) date: Moment,
    /// Where the subject's days begin and end.
    pub(super) zone: TimeZone,
    /// The country that they live in, where their zone tells.
    pub(super) country: Option<&'static str>,
    pub(super) names: Names,
    pub(super) name: Option<String>,
    /// The name that was known beforehand.
    pub(super) given: Option<String>,
    pub(super) fields: Option<Fields<'a>>,
    /// Whose the parts outside the sentences are.
    pub(super) about: Speaker,
    /// The key that filled each slot of one value first.
    pub(super) keys_of_slots: HashMap<String, String>,
    pub(super) memories: Vec<Memory>,
    pub(super) seen: HashSet<String>,
    /// Sentences read before, by their hash: a text that repeats itself is read once.
    pub(super) heard: HashSet<u64>,
    pub(super) refused: BTreeMap<Refusal, usize>,
    /// What the turn has spoken of, and what it said besides.
    pub(super) talk: Talk,
    /// First names of those who speak, in lower case.
    pub(super) people: Vec<String>,
    /// The two who speak, when they are two: what one says to "you" is said to the other.
    pub(super) pair: Option<[String; 2]>,
    pub(super) remarks: Vec<Remark>,
    /// What may still be corrected.
    pub(super) said: Option<Said>,
    pub(super) full: bool,
}

/// Whose sentences are being read, and when they were said.
#[derive(Clone)]
pub(super) struct Voice {
    pub(super) name: Option<String>,
    pub(super) date: Moment,
    /// The subject of the profile, rather than another speaker.
    pub(super) own: bool,
    pub(super) setting: Setting,
    /// A leading pronoun means the subject.
    pub(super) known: bool,
    /// Another turn that says whom a pronoun means.
    pub(super) context: Option<Range<usize>>,
}

/// Learns fields and memories from a text.
pub(super) fn learn(input: &Input<'_>) -> Extraction {
    let book = RuleBook::of(input.language);
    let mut notes = Vec::new();
    let mut text = input.text;
    if text.len() > MAX_INPUT_BYTES {
        let mut end = MAX_INPUT_BYTES;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        notes.push(format!("the text is longer than {MAX_INPUT_BYTES} bytes; the rest was not read"));
        text = &text[..end];
    }
    let input = &Input { text, ..*input };
    let mut source = source::parse(book, input);
    notes.append(&mut source.notes);
    let given = input.subject_name.map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned);
    let named = (!source.several).then(|| naming::own_name(book, &source, naming::is_description(input))).flatten();
    let name = given.clone().or_else(|| named.clone().map(|(name, _)| name));
    let mut people: Vec<String> = source.messages.iter().filter_map(|turn| first_name(turn.name.as_deref()?)).collect();
    people.sort_unstable();
    people.dedup();
    let mut speakers: Vec<String> = source.messages.iter().filter_map(|turn| turn.name.clone()).collect();
    speakers.sort_unstable();
    speakers.dedup();
    let pair: Option<[String; 2]> = speakers.try_into().ok();
    let zone = time::zone(input.zone);
    let country = input.zone.and_then(zones::country);
    let wall = Wall { at: input.date().on_the_wall(&zone), country };
    let mut learner = Learner {
        book,
        date: input.date(),
        names: Names::new(name.as_deref()).and(input.former_names),
        name,
        given,
        fields: (!source.several).then(|| Fields::new(book, input.schema, wall)),
        zone,
        country,
        about: Speaker::Subject,
        keys_of_slots: HashMap::new(),
        memories: Vec::new(),
        seen: HashSet::new(),
        heard: HashSet::new(),
        refused: BTreeMap::new(),
        talk: Talk::default(),
        people,
        pair,
        remarks: Vec::new(),
        said: None,
        full: false,
    };
    // A text in the third person names its subject without saying "my name is".
    if let (Some((name, Some(span))), Some(fields)) = (&named, &mut learner.fields) {
        fields.slot("name", name, 0.8, span);
    }
    for unit in &source.units {
        learner.unit(unit, input);
        if learner.full {
            break;
        }
    }
    let (fields, field_notes) = learner.fields.map(Fields::finish).unwrap_or_default();
    notes.extend(field_notes);
    if source.several {
        notes.push("several people speak and none is known to be the subject: no field was filled".to_owned());
    }
    notes.extend(learner.refused.iter().map(|(refusal, count)| format!("left out {count} {}", refusal.plural())));
    if learner.full {
        notes.push(format!("more than {MAX_MEMORIES} statements: the rest was not kept"));
    }
    if learner.memories.is_empty() && fields.is_empty() && !text.trim().is_empty() {
        notes.push("nothing was learned".to_owned());
    }
    let mut memories = learner.memories;
    for memory in &mut memories {
        memory.message = turn_of(&source.messages, &memory.evidence);
        memory.context_message = memory.context.as_ref().and_then(|place| turn_of(&source.messages, place));
    }
    Extraction { fields, memories, messages: source.messages, notes }
}

/// The turn that a place lies in. The spans of the turns ascend and do not overlap.
fn turn_of(turns: &[Message], place: &Range<usize>) -> Option<usize> {
    let at = turns.partition_point(|turn| turn.span.end < place.end);
    turns.get(at).filter(|turn| turn.span.start <= place.start).map(|_| at)
}

impl Learner<'_> {
    fn unit(&mut self, unit: &Unit<'_>, input: &Input<'_>) {
        match unit {
            Unit::Prose { text, place, speaker, date, setting } => {
                let span = place.span(&(0..text.len()));
                let mut voice = Voice {
                    name: self.name.clone(),
                    date: date.unwrap_or(self.date),
                    own: true,
                    setting: *setting,
                    known: matches!(setting, Setting::Text | Setting::List) && naming::is_description(input),
                    context: None,
                };
                match speaker {
                    Speaker::Subject => {}
                    Speaker::Named(name) => {
                        voice.own = self.fields.is_some();
                        voice.name = Some(name.clone());
                    }
                    Speaker::Other(name) => {
                        self.asked_back(text);
                        self.talk = Talk::default();
                        self.talk.hand_over(self.book, name.as_deref(), text, &span);
                        return self.talk.interviewed();
                    }
                }
                self.talk.take_up(voice.name.as_deref());
                self.prose(text, place, &mut voice);
                self.talk.hand_over(self.book, voice.name.as_deref(), text, &span);
            }
            Unit::Pair { key, value, span } => self.pair(key, value, span),
            Unit::Item { heading, text, span } => self.item(heading, text, span),
            Unit::Log { text, date, span } => self.log(text, *date, span),
            Unit::About(speaker) => self.about.clone_from(speaker),
            // Settled before anything is learned.
            Unit::Person { .. } => {}
        }
    }

    /// What the clock shows where something is said.
    pub(super) fn wall(&self, voice: &Voice) -> Wall {
        Wall { at: voice.date.on_the_wall(&self.zone), country: self.country }
    }

    /// The end of a day where something is said, if that lies ahead.
    pub(super) fn until_end_of(&self, day: Date, voice: &Voice) -> Option<i64> {
        voice.date.end_of(day, &self.zone).filter(|end| *end > self.date.micros)
    }

    pub(super) fn refuse(&mut self, refusal: Refusal) {
        *self.refused.entry(refusal).or_default() += 1;
    }

    pub(super) fn prose(&mut self, text: &str, place: &Place, voice: &mut Voice) {
        let ranges = sentence::sentences_of(self.book, text);
        let mut before = self.memories.len();
        let asked = if voice.setting == Setting::People { self.talk.asked_before() } else { None };
        for (at, range) in ranges.iter().enumerate() {
            let taken_back = ranges.get(at + 1).map(|next| &text[next.clone()]);
            if taken_back.is_some_and(|next| next.len() < 25 && self.book.sarcasm.found_in(next)) {
                self.refuse(Refusal::Sarcasm);
                continue;
            }
            let range = range.clone();
            let raw = &text[range.clone()];
            if raw.len() > sentence::MAX_SENTENCE {
                self.refuse(Refusal::TooLong);
                continue;
            }
            if self.full {
                break;
            }
            let span = place.span(&range);
            let clean = sentence::cleaned(raw);
            let answer = self.answer(&clean, voice.setting);
            if !self.heard.insert(hash(answer.as_ref().map_or(&clean, |(answer, _)| answer), voice)) {
                continue;
            }
            let corrected = self.corrected(&clean, voice.name.as_deref());
            let clean = match corrected {
                Some((meant, taken_back)) => {
                    before -= taken_back.len().min(before.saturating_sub(taken_back.start));
                    for memory in self.memories.drain(taken_back) {
                        self.seen.remove(&memory.content.to_lowercase());
                    }
                    meant
                }
                None => self.reworded(clean),
            };
            let taught = self.memories.len();
            let (clean, known) = match answer {
                Some((answer, question)) => {
                    let known = self.sentence(&answer, &span, &Voice { context: Some(question), ..voice.clone() });
                    (answer, known)
                }
                None => {
                    let known = self.sentence(&clean, &span, voice);
                    (clean, known)
                }
            };
            self.said = (self.memories.len() > taught).then(|| Said {
                text: clean,
                speaker: voice.name.clone(),
                memories: taught..self.memories.len(),
            });
            if matches!(voice.setting, Setting::Text | Setting::List) {
                voice.known = known.unwrap_or(voice.known);
            }
            self.talk.next();
        }
        self.keep_remarks(before, voice);
        if let Some(asked) = asked {
            self.complete_answer(before, asked, voice);
        }
    }

    /// The sentence that a short answer to the assistant stands for, and the turn that asked.
    fn answer(&self, sentence: &str, setting: Setting) -> Option<(String, Range<usize>)> {
        let asked = self.talk.interview().filter(|_| setting == Setting::Chat)?;
        Some((answer::spelled_out(self.book, &asked.words, sentence)?, asked.turn.clone()))
    }

    /// Reads a sentence; says whether its subject is the subject, when it can be told.
    pub(super) fn sentence(&mut self, text: &str, span: &Range<usize>, voice: &Voice) -> Option<bool> {
        self.talk.dateline(self.book, text, self.wall(voice));
        let text = &text[gate::without_names(text, &self.people)];
        let whole = text;
        let text = &text[gate::trimmed(self.book, text)];
        if let Some(refusal) = gate::refuse_sentence(self.book, whole, text) {
            self.refuse(refusal);
            return None;
        }
        let mut known = voice.known;
        let mut about = None;
        for range in sentence::clauses_of(self.book, text) {
            let clause = &text[range];
            let clause = &clause[gate::trimmed(self.book, clause)];
            self.talk.dateline(self.book, clause, self.wall(voice));
            let resolved = if known { None } else { self.talk.resolved(clause) };
            let (resolved, context) = resolved.unzip();
            let clause = resolved.as_deref().unwrap_or(clause);
            let context = context.flatten().or_else(|| voice.context.clone());
            let mine = self.clause(clause, span, &Voice { known, context, ..voice.clone() });
            self.talk.hear(self.book, clause);
            known = mine.unwrap_or(known);
            about = about.or(mine);
        }
        about
    }

    fn clause(&mut self, clause: &str, span: &Range<usize>, voice: &Voice) -> Option<bool> {
        let listed = (voice.setting == Setting::List)
            .then(|| {
                let book = self.book;
                person::listed(book, &book.listed, clause).or_else(|| person::listed(book, &book.listed_too, clause))
            })
            .flatten();
        if let Some(canonical) = listed {
            self.canonical(&canonical, span, voice, true);
            return Some(true);
        }
        let full = if voice.known { None } else { gate::completed(self.book, clause, voice.setting) };
        if let Some(refusal) = gate::refuse_clause(self.book, clause, full.is_some()) {
            // It is no fact, but among people it matters that it was said: advice, a wish, what somebody else said.
            if voice.setting == Setting::People && refusal != Refusal::Question {
                self.remark(clause, span, voice, refusal == Refusal::Request);
            } else {
                self.refuse(refusal);
            }
            return None;
        }
        let clause = full.as_deref().unwrap_or(clause);
        // A subject that is named is meant even where somebody says "my": "Sarah met my sister" is no statement of hers.
        let named = person::third_person_of(self.book, clause, &self.names, voice.known);
        let own = person::first_person(self.book, clause);
        // Behind "I" a "she" is somebody else, behind the subject's name it is the subject.
        let (canonical, about, known) = match (named, own) {
            (Some(canonical), _) if voice.own => (canonical, true, true),
            (_, Some(canonical)) => {
                let about = canonical.starts_with(SUBJECT);
                (canonical, about, false)
            }
            _ if voice.own && self.plan_called_off(clause, span, voice) => return None,
            _ => {
                let other = clause.split_whitespace().next().is_some_and(|w| w.starts_with(char::is_uppercase));
                self.remark(clause, span, voice, false);
                return (other && !self.book.not_other.found_in(clause)).then_some(false);
            }
        };
        self.canonical(&canonical, span, voice, about);
        Some(known)
    }

    fn canonical(&mut self, canonical: &str, span: &Range<usize>, voice: &Voice, about: bool) {
        if self.book.small_talk.found_in(canonical) {
            return self.refuse(Refusal::SmallTalk);
        }
        for part in person::sentences_of(self.book, canonical) {
            if !self.book.small_talk.found_in(&part) {
                self.statement(&part, span, voice, !about);
            }
        }
    }

    /// Reads a canonical sentence by the rules.
    fn statement(&mut self, canonical: &str, span: &Range<usize>, voice: &Voice, aside: bool) {
        let now = self.wall(voice);
        let today = now.date();
        let future = self.book.future.found_in(canonical);
        let tense = if !future && self.book.pastish.found_in(canonical) { Tense::Past } else { Tense::Future };
        let mut when = dates::find(self.book, canonical, now, tense);
        if when.is_empty() && tense == Tense::Past && canonical.starts_with(SUBJECT) {
            when.extend(self.talk.carried(canonical));
        }
        if self.called_off(canonical, span, voice, false, None) {
            return;
        }
        if voice.own
            && let Some(fields) = &mut self.fields
        {
            fields.statement(canonical, span);
        }
        let mut more = false;
        let addressed =
            self.book.addressed.found_in(canonical) && talk::weight(self.book, canonical) < MIN_WEIGHT_TO_OTHERS;
        let core = &canonical[self.preface(canonical, &when)..];
        if aside && self.book.deictic.found_in(canonical) {
            self.remark(canonical, span, voice, false);
            return;
        }
        for rule in &self.book.rules {
            let Some(groups) = groups_of(rule.pattern(), core) else { continue };
            if more && rule.meaning.slot.is_none() {
                continue;
            }
            let value = ["v", "w", "x", "y"].iter().find_map(|g| groups.name(g)).map(|m| m.as_str().trim());
            let value = value.map(|value| value.trim_end_matches([',', '.', ' ', ';', '!']));
            if rule.meaning.slot.as_deref() == Some("name") && value.and_then(|v| fields::name(self.book, v)).is_none()
            {
                continue;
            }
            // "My email is not …" and "my old email was …" give no email.
            let denied = value.and_then(|v| core.find(v)).is_some_and(|at| self.book.denied.found_in(&core[..at]));
            if denied && rule.meaning.slot.is_some() && !rule.meaning.negated {
                continue;
            }
            // What is said to "you" is talk, unless a rule knows precisely what it states.
            let loose = rule.meaning.slot.is_none() && rule.meaning.confidence < 0.85;
            let vague = rule.meaning.slot.is_none() && rule.meaning.confidence < 0.8 && when.is_empty();
            if addressed && loose || vague && talk::weight(self.book, core) == 0 {
                self.refuse(Refusal::SmallTalk);
                return;
            }
            if aside && !core.starts_with(SUBJECT) && rule.meaning.slot.is_none() && loose && too_thin(canonical) {
                self.remark(canonical, span, voice, false);
                return;
            }
            let found =
                Found { rule, groups: &groups, value, canonical, when: &when, tense, today, until: &self.book.until };
            let memory = self.learned(&found, span, voice);
            if loose && when.is_empty() && !rule.meaning.is_static && voice.setting == Setting::People {
                let mentioned = rule.meaning.confidence < MIN_CONFIDENCE_OF_DEEDS;
                let substance = talk::substance(self.book, core).saturating_sub(usize::from(mentioned));
                self.remarks.push(Remark::vague(memory, substance));
            } else {
                self.keep(memory);
            }
            if !rule.meaning.also {
                return;
            }
            // Of the rules behind only those that know of another slot have more to say.
            more = true;
        }
    }

    /// Where the statement begins behind "Last week, …": what comes before the subject is a date or an adverbial.
    fn preface(&self, canonical: &str, when: &[When]) -> usize {
        let Some(subject) = canonical.find(SUBJECT).filter(|&at| at > 0 && at <= 60) else { return 0 };
        let before = &canonical[..subject];
        let date =
            when.first().is_some_and(|when| when.span.start <= 3 && before[when.span.end.min(subject)..].len() <= 2);
        if date || self.book.preface.found_in(before) { subject } else { 0 }
    }

    fn learned(&mut self, found: &Found<'_>, span: &Range<usize>, voice: &Voice) -> Memory {
        let meaning = &found.rule.meaning;
        let mut value = found.value.map(|value| person::render_part(self.book, value, voice.name.as_deref()));
        if meaning.slot.as_deref() == Some("name") {
            value = value.and_then(|value| fields::name(self.book, &value));
        }
        let denies = meaning.negated && meaning.slot.as_ref().is_some_and(|slot| self.book.single.contains(slot));
        if let (Some(slot), Some(value), Some(fields), true, false) =
            (&meaning.slot, found.value, &mut self.fields, voice.own, denies)
        {
            fields.slot(slot, value, meaning.confidence, span);
        }
        let own_sentence = meaning.say.is_none() || found.rule.meaning.also && found.rule.id == "job";
        let name = voice.name.as_deref();
        let content = match (&meaning.say, &value, own_sentence) {
            // "Sarah's name is Sarah" tells nobody anything.
            (Some(say), Some(value), false) => {
                let name = name.filter(|_| meaning.slot.as_deref() != Some("name"));
                person::render(self.book, &say.replace("{S}", &SUBJECT.to_string()).replace("{v}", value), name)
            }
            _ => {
                let text = dated(found.canonical, found.when, meaning.no_date);
                let text = match self.listener(voice) {
                    Some(listener) => talk::named(self.book, &text, listener),
                    None => text,
                };
                person::render(self.book, &text, name)
            }
        };
        let slot = meaning.slot.as_deref().and_then(|slot| self.single_slot(slot, found.groups));
        let slot = slot.map(|slot| match name.filter(|_| !voice.own) {
            Some(name) => format!("{slot} of {}", name.to_lowercase()),
            None => slot,
        });
        let mut memory = Memory {
            content,
            subject: voice.name.clone(),
            kind: meaning.kind,
            slot,
            value,
            negated: meaning.negated,
            aside: false,
            is_static: meaning.is_static,
            confidence: meaning.confidence,
            importance: meaning.importance,
            event_date: None,
            forget_after: None,
            calls_off: None,
            evidence: span.clone(),
            context: voice.context.clone(),
            message: None,
            context_message: None,
        };
        if !meaning.no_date {
            self.place_in_time(&mut memory, found, meaning, voice);
        }
        memory
    }

    /// Gives a memory the time of its sentence; what lies ahead is an event that is forgotten when it is over. What is over by
    /// now, as in a conversation of long ago, was planned, and stays.
    fn place_in_time(&self, memory: &mut Memory, found: &Found<'_>, meaning: &Meaning, voice: &Voice) {
        let Some(when) = found.when.first() else { return };
        let ahead = found.tense == Tense::Future && when.end >= found.today;
        let whole_past = when.end < found.today || found.tense == Tense::Past && when.start <= found.today;
        if whole_past || ahead || meaning.plan {
            memory.event_date = Some(dates::micros_of(when.start));
        }
        if ahead && (!memory.is_static || memory.slot.is_none()) {
            memory.is_static = false;
            memory.kind = Kind::Event;
            // "From 1 June to 15 June" is over after the fifteenth.
            let last = found.when.windows(2).take_while(|pair| {
                let between = found.canonical.get(pair[0].span.end..pair[1].span.start).map(str::trim);
                pair[0].end <= pair[1].start
                    && between.is_some_and(|word| word.is_empty() || found.until.contains(&word.to_lowercase()))
            });
            memory.forget_after = self.until_end_of(last.last().map_or(when.end, |pair| pair[1].end), voice);
        }
    }

    /// Whom "you" means, in a conversation of two.
    pub(super) fn listener(&self, voice: &Voice) -> Option<&str> {
        let pair = self.pair.as_ref().filter(|_| voice.setting == Setting::People)?;
        pair.iter().map(String::as_str).find(|one| Some(*one) != voice.name.as_deref())
    }

    /// The slot under which a second value contradicts the first; `None` where a person has many.
    fn single_slot(&self, slot: &str, groups: &Captures<'_>) -> Option<String> {
        let kin = groups.name("k").map(|m| m.as_str().to_lowercase());
        match (slot, kin) {
            ("favorite", Some(what)) => Some(format!("favorite.{}", plain_words(what.trim()))),
            ("relation", Some(kin)) => self.book.single_kin.contains(&kin).then(|| format!("relation.{kin}")),
            _ => self.book.single.contains(slot).then(|| slot.to_owned()),
        }
    }

    pub(super) fn keep(&mut self, mut memory: Memory) {
        if memory.content.is_empty() || !memory.content.contains(' ') {
            return;
        }
        if self.memories.len() >= MAX_MEMORIES {
            self.full = true;
            return;
        }
        memory.confidence = memory.confidence.min(MAX_CONFIDENCE);
        if self.seen.insert(memory.content.to_lowercase()) {
            self.memories.push(memory);
        }
    }
}

fn hash(sentence: &str, voice: &Voice) -> u64 {
    let mut hasher = DefaultHasher::new();
    (sentence, &voice.name, voice.date, voice.known).hash(&mut hasher);
    hasher.finish()
}

fn first_name(name: &str) -> Option<String> {
    name.split_whitespace().next().map(str::to_lowercase)
}

/// What a rule found in a canonical sentence.
struct Found<'a> {
    rule: &'a Rule,
    groups: &'a Captures<'a>,
    value: Option<&'a str>,
    canonical: &'a str,
    when: &'a [When],
    tense: Tense,
    today: Date,
    /// Words between the ends of a span of time.
    until: &'a HashSet<String>,
}

/// The sentence with dates in place of words that only mean something on the day they are said.
pub(super) fn dated(canonical: &str, when: &[When], keep: bool) -> String {
    if keep {
        return canonical.to_owned();
    }
    let mut out = String::with_capacity(canonical.len() + 16);
    let mut from = 0;
    for when in when {
        let Some(say) = &when.say else { continue };
        out.push_str(&canonical[from..when.span.start]);
        out.push_str(say);
        from = when.span.end;
    }
    out.push_str(&canonical[from..]);
    out
}

/// Too little is said besides mentioning the speaker.
fn too_thin(canonical: &str) -> bool {
    canonical.split_whitespace().count() < 5
}
