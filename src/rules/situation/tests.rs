use super::course::{Course, Synthetic};
use super::plan::{Content, Contradiction, Knowledge, Origin, Plan, Stage};
use super::*;
use crate::message::schema::Schemas;

fn built_in() -> Catalogue {
    let schemas = Schemas::built_in();
    Catalogue::built_in(&schemas).unwrap_or_else(|wrong| {
        let told: Vec<String> = wrong.iter().map(Diagnostic::to_string).collect();
        panic!("{}", told.join("\n"))
    })
}

fn code(text: &str) -> Code {
    Code::parse(text).expect("a code")
}

#[test]
fn the_catalogue_of_the_program_is_good() {
    assert!(built_in().situations().count() >= 2);
}

#[test]
fn synthetic_cases_come_to_an_end_with_half_of_the_documents() {
    let catalogue = built_in();
    for situation in catalogue.situations() {
        let mut plans = std::collections::BTreeSet::new();
        let (mut halved, people) = (0, 150);
        for seed in 0..people {
            let person = Synthetic::new(&catalogue, situation, seed);
            let course = Course::run(&catalogue, situation, &person);
            let stuck: Vec<&str> =
                course.stuck.iter().filter_map(|index| situation.step(*index)).map(|step| step.id.as_str()).collect();
            assert!(stuck.is_empty(), "{} {seed}: {stuck:?} {person:?}", situation.id);
            halved += u64::from(course.brought.len() * 2 <= course.carried_before);
            plans.insert(course.steps.clone());
        }
        assert!(plans.len() >= 2, "{}: everybody gets the same", situation.id);
        assert!(halved * 100 >= people * 95, "{}: documents are halved for {halved} of {people} only", situation.id);
    }
}

#[test]
fn a_plan_asks_last_and_once() {
    let catalogue = built_in();
    let situation = catalogue.situation(&code("birth-of-child"), None).expect("there");
    let plan = Plan::make(&catalogue, situation, &Knowledge::new(situation));
    assert!(plan.steps.iter().all(|planned| planned.stage == Stage::Open));
    assert!(plan.ask.is_empty() && !plan.fetch.is_empty(), "what can be fetched is not asked");
    // The certificate would be made by a step that may apply.
    assert!(!plan.fetch.keys().any(|document| document.document.as_str() == "birth-certificate"), "{:?}", plan.fetch);
}

/// A document of which this is read.
#[derive(Default)]
struct Paper {
    facts: Vec<(FactIndex, Value)>,
    names: Vec<&'static str>,
}

impl Content for Paper {
    fn value(&self, fact: FactIndex, _: &Source) -> Option<Value> {
        self.facts.iter().find(|(known, _)| *known == fact).map(|(_, value)| value.clone())
    }

    fn names(&self, found_in: &FoundIn) -> bool {
        self.names.contains(&found_in.role.as_str())
    }
}

/// A case of the birth of a child, as it goes on.
struct Birth {
    catalogue: Catalogue,
    situation: Arc<Situation>,
    knowledge: Knowledge,
}

impl Birth {
    fn begun() -> Self {
        let catalogue = built_in();
        let situation = Arc::clone(catalogue.situation(&code("birth-of-child"), None).expect("there"));
        let mut knowledge = Knowledge::new(&situation);
        knowledge.start_with(catalogue.fact_named("child.live_birth").expect("a fact"), Value::Truth(true));
        Self { catalogue, situation, knowledge }
    }

    fn fact(&self, name: &str) -> FactIndex {
        self.catalogue.fact_named(name).expect("a fact")
    }

    fn found(&mut self, document: &str, facts: &[(&str, Value)], names: &[&'static str]) -> Vec<Contradiction> {
        let facts = facts.iter().map(|(name, value)| (self.fact(name), value.clone())).collect();
        let paper = Paper { facts, names: names.to_vec() };
        self.knowledge.found(&self.catalogue, &self.situation, &of(document), &paper)
    }

    fn absent(&mut self, document: &str) {
        self.knowledge.absent(&self.catalogue, &self.situation, &of(document));
    }

    fn plan(&self) -> Plan {
        Plan::make(&self.catalogue, &self.situation, &self.knowledge)
    }

    fn fetched(&self) -> Vec<String> {
        self.plan().fetch.keys().map(ToString::to_string).collect()
    }

    fn stage(&self, step: &str) -> Stage {
        let index = self.situation.step_named(&code(step)).expect("a step");
        self.plan().steps[usize::from(index.0)].stage
    }

    /// All of the mother's documents, of somebody who is not married.
    fn mothers(&mut self) {
        self.found("medical-birth-record:mother", &[], &[]);
        self.found("identity-record:mother", &[("mother.citizen", Value::Truth(true))], &[]);
        self.found("employment-record:mother", &[("mother.employed", Value::Truth(false))], &[]);
        self.found("income-statement:mother", &[("mother.income_ratio", Value::Number(150))], &[]);
        self.found("residence-record:mother", &[], &[]);
        self.absent("marriage-record:mother");
    }
}

fn of(text: &str) -> DocumentOf {
    DocumentOf::parse(text).expect("a document")
}

#[test]
fn a_document_that_nine_steps_need_is_not_fetched_but_made_and_once() {
    let mut birth = Birth::begun();
    birth.mothers();
    assert!(!birth.fetched().iter().any(|document| document.starts_with("birth-certificate")), "{:?}", birth.fetched());
    assert_eq!((birth.stage("register-birth"), birth.stage("snils")), (Stage::Ready, Stage::Waiting));
    birth.knowledge.over(birth.situation.step_named(&code("register-birth")).expect("a step"));
    birth.found("birth-certificate:child", &[], &["child", "father"]);
    assert_eq!((birth.stage("snils"), birth.stage("residence")), (Stage::Ready, Stage::Ready));
    assert!(!birth.fetched().iter().any(|document| document.starts_with("birth-certificate")));
}

#[test]
fn nothing_of_a_relative_is_fetched_before_a_document_proves_the_relation() {
    let mut birth = Birth::begun();
    assert!(!birth.fetched().iter().any(|document| document.ends_with(":father")), "{:?}", birth.fetched());
    birth.mothers();
    birth.found("birth-certificate:child", &[], &["child", "father"]);
    assert!(birth.fetched().contains(&"employment-record:father".to_owned()), "{:?}", birth.fetched());
    // Where no document names anybody, there is nobody: what would be true of him is not, and nobody is asked.
    let mut birth = Birth::begun();
    birth.mothers();
    birth.found("birth-certificate:child", &[], &["child"]);
    let known = birth.knowledge.known(birth.fact("father.employed")).cloned();
    assert_eq!(known.map(|(value, _)| value), Some(Value::Truth(false)));
    assert!(!birth.fetched().iter().any(|document| document.ends_with(":father")));
    assert_eq!(birth.stage("birth-allowance"), Stage::Off);
    // The spouse of a marriage is proved by the record of it, long before there is a certificate.
    let mut birth = Birth::begun();
    birth.found("marriage-record:mother", &[("mother.married", Value::Truth(true))], &["father"]);
    assert!(birth.fetched().contains(&"employment-record:father".to_owned()), "{:?}", birth.fetched());
}

#[test]
fn the_form_comes_once_and_last_and_asks_what_still_matters() {
    let mut birth = Birth::begun();
    birth.mothers();
    birth.knowledge.over(birth.situation.step_named(&code("register-birth")).expect("a step"));
    birth.found("birth-certificate:child", &[], &["child"]);
    birth.knowledge.ask(of("paternity-record:child"));
    assert!(birth.plan().ask.is_empty(), "something is being fetched");
    birth.absent("paternity-record:child");
    let wants = birth.fact("mother.wants_kindergarten");
    assert_eq!(birth.plan().ask, [wants]);
    birth.knowledge.answer(wants, Value::Truth(false));
    assert!(birth.plan().ask.is_empty());
    assert_eq!(birth.stage("kindergarten"), Stage::Off);
}

#[test]
fn of_a_silent_holder_the_citizen_is_asked_for_the_document() {
    let mut birth = Birth::begun();
    birth.knowledge.ask(of("identity-record:mother"));
    assert!(!birth.fetched().contains(&"identity-record:mother".to_owned()), "it is being asked");
    birth.knowledge.is_silent(of("identity-record:mother"));
    assert!(birth.plan().bring.contains(&of("identity-record:mother")));
    assert!(!birth.fetched().contains(&"identity-record:mother".to_owned()));
}

#[test]
fn what_did_not_exist_and_was_made_since_counts() {
    let mut birth = Birth::begun();
    birth.absent("disability-record:child");
    let fact = birth.fact("child.has_special_needs");
    assert_eq!(birth.knowledge.known(fact).map(|(value, _)| value), Some(&Value::Truth(false)));
    let told = birth.found("disability-record:child", &[("child.has_special_needs", Value::Truth(true))], &[]);
    assert_eq!(told, []);
    assert_eq!(birth.knowledge.known(fact).map(|(value, _)| value), Some(&Value::Truth(true)));
}

#[test]
fn a_document_that_contradicts_what_is_known_replaces_nothing_and_is_told() {
    let mut birth = Birth::begun();
    let told = birth.found("medical-birth-record:mother", &[("child.live_birth", Value::Truth(false))], &[]);
    assert_eq!(told.len(), 1);
    assert_eq!(
        (told[0].fact, &told[0].known, &told[0].found),
        (birth.fact("child.live_birth"), &Value::Truth(true), &Value::Truth(false))
    );
    assert_eq!(birth.knowledge.known(told[0].fact), Some(&(Value::Truth(true), Origin::Start)));
    // What the citizen says does not stand against a document either.
    let (fact, before) = (birth.fact("mother.citizen"), birth.plan());
    birth.found("identity-record:mother", &[("mother.citizen", Value::Truth(true))], &[]);
    birth.knowledge.answer(fact, Value::Truth(false));
    assert_eq!(birth.knowledge.known(fact).map(|(value, _)| value), Some(&Value::Truth(true)));
    assert_ne!(birth.plan(), before);
}

/// The catalogue of the program with one place changed.
fn changed(name: &str, from: &str, to: &str) -> Vec<File> {
    let mut files = Catalogue::built_in_files();
    let file = files.iter_mut().find(|file| file.name == name).unwrap_or_else(|| panic!("{name} is not there"));
    assert!(file.text.contains(from), "{name} has no {from}");
    file.text = file.text.replacen(from, to, 1);
    files
}

/// Each mistake: the file, what stands there, what is written instead, and how the first diagnostic begins.
const MISTAKES: &[(&str, &str, &str, &str)] = &[
    (BIRTH, "curator = ", "curater = ", "OG-CAT-001 no key is called curater here; did you mean curator?"),
    (BIRTH, "format = 1", "format = 2", "OG-CAT-001 format = 2; this program reads format = 1"),
    (
        BIRTH,
        "version = \"2026.2\"",
        "version = \"v2\"",
        "OG-CAT-001 version = \"v2\"; it is numbers with points between, as in 2026.2",
    ),
    (
        BIRTH,
        "id = \"birth-of-child\"",
        "id = \"birth\"",
        "OG-CAT-001 the file of birth is called birth.toml, or birth@2026.2.toml",
    ),
    (BIRTH, "agency = \"zags\"", "agency = \"zag\"", "OG-CAT-002 no agency is called zag; did you mean zags?"),
    (
        BIRTH,
        "\"medical-birth-record:mother\", ",
        "\"medical-birth-recrd:mother\", ",
        "OG-CAT-002 no document is called medical-birth-recrd; did you mean medical-birth-record?",
    ),
    (
        BIRTH,
        "facts_at_start = [\"child.live_birth\"]",
        "facts_at_start = [\"child.liv_birth\"]",
        "OG-CAT-002 no fact is called child.liv_birth; did you mean child.live_birth?",
    ),
    (BIRTH, "\"request:portal\"", "\"portal\"", "OG-CAT-001 \"portal\" starts nothing: write document:... or request:..."),
    (
        BIRTH,
        "after = [\"register-birth\"]",
        "after = [\"register-birt\"]",
        "OG-CAT-003 no step is called register-birt; did you mean register-birth?",
    ),
    (BIRTH, "id = \"paternity\"", "id = \"snils\"", "OG-CAT-003 the step snils twice"),
    (
        BIRTH,
        "when = \"child.live_birth\"\nneeds",
        "when = \"child.live_birth\"\nafter = [\"kindergarten\"]\nneeds",
        "OG-CAT-003 steps wait for each other: ",
    ),
    (
        BIRTH,
        "&& !mother.married",
        "&& !mother.maried",
        "OG-CAT-004 no fact is called mother.maried; did you mean mother.married?",
    ),
    (BIRTH, "mother.income_ratio < 100", "mother.income_ratio < '100'", "OG-CAT-004 a number cannot be compared with a text"),
    (
        BIRTH,
        "mother.income_ratio < 100",
        "pupil.enrolled",
        "OG-CAT-005 pupil.enrolled is found at the pupil, and there is no [[role]] with name = \"pupil\" here",
    ),
    (
        FACTS,
        "at = \"Child/LiveBirth\" }, none = false }",
        "at = \"Child/LiveBirth\" } }",
        "OG-CAT-005 where there is no such document nothing says what it is: give it none = ... or ask = { ... }",
    ),
    (
        FACTS,
        "\"worker.wants_training\" = { type = \"bool\", ask",
        "\"worker.wants_training\" = { type = \"bool\" }\n\"worker.x\" = { type = \"bool\", ask",
        "OG-CAT-005 nobody can say it: give it from = { ... } or ask = { ... }",
    ),
    (
        FACTS,
        "\"child.live_birth\"",
        "\"child.in\"",
        "OG-CAT-001 \"child.in\" is not the name of a fact: words with points between, as in child.birth_order",
    ),
    (
        FACTS,
        "at = \"Child/LiveBirth\"",
        "at = \"Child/LiveBrith\"",
        "OG-CAT-013 medical-birth-record has nothing at Child/LiveBrith; did you mean Child/LiveBirth?",
    ),
    (FACTS, "none = false", "none = 0", "OG-CAT-001 none = has to be a yes or no, as its type is"),
    ("documents.toml", "holder = \"maternity\"", "holder = \"\"", "OG-CAT-006 nobody holds it: name an agency, or applicant"),
    (
        "documents.toml",
        "marriage-record = {",
        "mariage-record = {",
        "OG-CAT-002 no document type of the schemas is called mariage-record; did you mean marriage-record?",
    ),
    (BIRTH, "deadline = \"10wd\"", "deadline = \"10 days\"", "OG-CAT-007 \"10 days\" is not a term: "),
    (BIRTH, "expires = \"P6M\"\n", "", "OG-CAT-007 expires and expires_from come together"),
    (
        BIRTH,
        "expires_from = \"child.birth_date\"",
        "expires_from = \"child.live_birth\"",
        "OG-CAT-007 child.live_birth is not a date",
    ),
    (BIRTH, "ru = \"Рождение ребёнка\"", "de = \"Geburt\"", "OG-CAT-009 there is no text in the language ru"),
    ("agencies.toml", "ru = \"ЗАГС\"", "ru = \" \"", "OG-CAT-009 there is no text in the language ru"),
    (
        BIRTH,
        "deadline = \"7wd\"",
        "deadline = \"7wd\"\nchannel = \"in-person\"",
        "OG-CAT-014 why do people have to come? Name the law: legal = \"RU:...\"",
    ),
    (
        BIRTH,
        "legal = \"RU:143-FZ:14\"",
        "legal = \"143-FZ\"",
        "OG-CAT-001 \"143-FZ\" is not a reference to the law: country, act and article, as in RU:143-FZ:16",
    ),
    (
        BIRTH,
        "birth-certificate:child as father",
        "birth-certificate:child as uncle",
        "OG-CAT-013 birth-certificate names nobody as uncle; it has: child, father, mother, parent",
    ),
    (
        BIRTH,
        "needs = [\"paternity-record:child?\"]",
        "needs = [\"paternity-record:pupil?\"]",
        "OG-CAT-002 there is no [[role]] with name = \"pupil\" here, or it comes later",
    ),
    (
        BIRTH,
        "tell = { applicant = [\"done\"] }",
        "tell = { applicant = [\"finished\"] }",
        "OG-CAT-001 \"finished\" is nothing to tell: started, done, late, failed or expiring",
    ),
    (BIRTH, "carry_days = 1", "carry_days = -1", "OG-CAT-001 days are a number from 0 to 3660"),
    (
        YAROSLAVL,
        "deadline = \"PT4H\"",
        "deadline = \"9wd\"",
        "OG-CAT-010 people would wait longer for register-birth: 9wd instead of 1wd",
    ),
    (
        YAROSLAVL,
        "[patch.register-birth]",
        "[patch.register-birth]\nneeds = [\"medical-birth-record:mother\", \"income-statement:mother\"]",
        "OG-CAT-010 register-birth would need one more document: income-statement:mother",
    ),
    (
        YAROSLAVL,
        "[patch.register-birth]",
        "[patch.register-birth]\nneeds = [\"marriage-record:mother\"]",
        "OG-CAT-010 marriage-record:mother has to exist, and for the country it does not",
    ),
    (
        YAROSLAVL,
        "channel = \"onestop@perinatal-clinic\"",
        "channel = \"in-person\"",
        "OG-CAT-010 people would have to come for register-birth",
    ),
    (
        YAROSLAVL,
        "[patch.register-birth]",
        "[patch.register-birth]\nwhen = \"mother.married\"",
        "OG-CAT-010 for whom register-birth is done is for the country to say; what a region adds is a step of its own",
    ),
    (
        YAROSLAVL,
        "[patch.register-birth]",
        "remove = [\"snils\"]\n[patch.register-birth]",
        "OG-CAT-010 snils is a step of the country's situation: a region does not take it away",
    ),
    (
        YAROSLAVL,
        "[patch.register-birth]",
        "[patch.register-brith]",
        "OG-CAT-003 birth-of-child has no step register-brith; did you mean register-birth?",
    ),
    (
        YAROSLAVL,
        "base = \"2026.2\"",
        "base = \"2026.1\"",
        "OG-CAT-011 birth-of-child has no version 2026.1; it has 2026.2. Compare them and write base = \"...\"",
    ),
    (YAROSLAVL, "region = \"RU-YAR\"", "region = \"RU-MOW\"", "OG-CAT-001 an overlay of RU-MOW stands in region/RU-MOW/"),
    (
        YAROSLAVL,
        "region = \"RU-YAR\"",
        "region = \"KZ-ALA\"",
        "OG-CAT-001 \"KZ-ALA\" is not a region of the country by ISO 3166-2, as in RU-YAR",
    ),
    (
        YAROSLAVL,
        "child.birth_order >= 3",
        "child.brith_order >= 3",
        "OG-CAT-004 no fact is called child.brith_order; did you mean child.birth_order?",
    ),
    (
        "catalogue.toml",
        "country = \"RU\"",
        "country = \"Russia\"",
        "OG-CAT-001 \"Russia\" is not a country of ISO 3166-1, as in RU",
    ),
    ("calendar/RU.toml", "utc_offset = \"+03:00\"", "utc_offset = \"3\"", "OG-CAT-001 utc_offset is written +03:00"),
    (
        "calendar/RU.toml",
        "place = \"RU\"",
        "place = \"RU-YAR\"",
        "OG-CAT-001 place is the country or a region, and the file has its name: calendar/RU.toml",
    ),
    ("population.toml", "found = 0.9", "found = 9", "OG-CAT-001 a share is a number from 0 to 1"),
    (
        "population.toml",
        "{ from = 1, to = 4 }",
        "{ share = 0.5 }",
        "OG-CAT-001 a bool has share = 0.4, an int from = 1 and to = 4, a text or date among = [...]",
    ),
];

const BIRTH: &str = "federal/birth-of-child.toml";
const YAROSLAVL: &str = "region/RU-YAR/birth-of-child.toml";
const FACTS: &str = "facts.toml";

#[test]
fn each_mistake_of_a_file_is_told_with_its_code_and_place() {
    let schemas = Schemas::built_in();
    for (name, from, to, expected) in MISTAKES {
        let files = changed(name, from, to);
        let wrong = Catalogue::read(&files, &schemas).map(drop).expect_err(expected);
        let told: Vec<String> = wrong.iter().map(|wrong| format!("{} {}", wrong.code.as_str(), wrong.what)).collect();
        assert!(told.iter().any(|told| told.starts_with(expected)), "{name}: {to}\nexpected {expected}\nand found {told:#?}");
        let of = wrong.iter().find(|wrong| format!("{} {}", wrong.code.as_str(), wrong.what).starts_with(expected));
        let of = of.expect("it is there");
        assert_eq!(of.file, *name);
        // The line that is shown is the one that was changed, or what it is missed in.
        let lines = files.iter().find(|file| file.name == *name).map_or(0, |file| file.text.lines().count());
        assert!((1..=lines + 1).contains(&of.line), "{of}");
    }
}

#[test]
fn a_mistake_in_a_condition_is_marked_where_it_stands() {
    let files = changed(YAROSLAVL, "child.birth_order >= 3", "child.brith_order >= 3");
    let wrong = Catalogue::read(&files, &Schemas::built_in()).map(drop).expect_err("it is refused");
    let lines: Vec<String> = wrong[0].to_string().lines().map(str::to_owned).collect();
    assert!(lines[0].ends_with("OG-CAT-004 no fact is called child.brith_order; did you mean child.birth_order?"), "{lines:?}");
    assert_eq!(lines[1].find("child.brith_order"), lines[2].find("^^^^^^^^^^^^^^^^^"), "{lines:#?}");
}

#[test]
fn a_hostile_catalogue_is_refused_without_end_of_words() {
    let schemas = Schemas::built_in();
    let step = |number: usize| {
        format!(
            "[[step]]\nid = \"s{number}\"\ntitle = {{ en = \"x\", ru = \"x\" }}\nagency = \"zags\"\nservice = \"x\"\ndeadline = \"1wd\"\n"
        )
    };
    let many = |steps: usize| changed(BIRTH, "[survey]", &format!("{}[survey]", (0..steps).map(step).collect::<String>()));
    let told = |files: &[File]| -> Vec<String> {
        let wrong = Catalogue::read(files, &schemas).err().unwrap_or_default();
        wrong.iter().map(|wrong| format!("{} {}", wrong.code.as_str(), wrong.what)).collect()
    };
    let together = |steps: usize| {
        let step = |number| step(number) + "appointment = \"all\"\n";
        changed(BIRTH, "[survey]", &format!("{}[survey]", (0..steps).map(step).collect::<String>()))
    };
    assert_eq!(told(&together(crate::base::limits::VISITS_MAX)), Vec::<String>::new());
    let wrong = told(&together(crate::base::limits::VISITS_MAX + 1));
    assert!(wrong.iter().any(|wrong| wrong.starts_with("OG-CAT-008 all: at most 6 steps")), "{wrong:?}");
    let overlay_steps = 2;
    let own =
        Catalogue::built_in(&schemas).expect("good").situation(&code("birth-of-child"), None).map_or(0, |own| own.steps.len());
    assert_eq!(told(&many(crate::base::limits::SITUATION_STEPS_MAX - own - overlay_steps)), Vec::<String>::new());
    let too_many = told(&many(10_000));
    assert!(too_many.iter().any(|told| told == "OG-CAT-008 a situation has at most 256 steps"), "{too_many:?}");
    // A thousand mistakes are told as a hundred.
    let conditions: String = (0..200).map(|number| format!("{}when = \"x.{number}\"\n", step(number))).collect();
    let wrong = told(&changed(BIRTH, "[survey]", &format!("{conditions}[survey]")));
    assert_eq!(wrong.len(), crate::base::limits::CATALOGUE_ERRORS_MAX);
    let long = format!("when = \"child.live_birth{}\"\nneeds = [\"paternity", " ".repeat(2_000));
    let wrong = told(&changed(BIRTH, "needs = [\"paternity", &long));
    assert!(wrong.iter().any(|told| told.contains("OG-CAT-00")), "{wrong:?}");
    let mut files = Catalogue::built_in_files();
    files.push(File::new("federal/large.toml", "#".repeat(crate::base::limits::CATALOGUE_BYTES_MAX)));
    assert!(told(&files)[0].starts_with("OG-CAT-008 a catalogue has at most"));
    let mut files = Catalogue::built_in_files();
    files.extend((0..crate::base::limits::CATALOGUE_FILES_MAX).map(|number| File::new(format!("federal/x{number}.toml"), "")));
    assert!(told(&files)[0].starts_with("OG-CAT-008 a catalogue has at most"));
    let facts: String = (0..crate::base::limits::CATALOGUE_FACTS_MAX)
        .map(|number| format!("\"child.f{number}\" = {{ type = \"bool\", ask = {{ en = \"x\", ru = \"x\" }} }}\n"))
        .collect();
    let mut files = Catalogue::built_in_files();
    files.push(File::new("facts-more.toml", format!("format = 1\n[fact]\n{facts}")));
    assert!(told(&files).iter().any(|told| told == "OG-CAT-008 a catalogue has at most 4096 facts"));
    let long = "x".repeat(crate::base::limits::CATALOGUE_TEXT_MAX + 1);
    let wrong = told(&changed(BIRTH, "en = \"Birth of a child\"", &format!("en = \"{long}\"")));
    assert!(wrong.iter().any(|told| told == "OG-CAT-009 a text has at most 300 characters, and no line break"), "{wrong:?}");
}

#[test]
fn a_region_gets_its_overlay_and_a_case_keeps_its_version() {
    let schemas = Schemas::built_in();
    let mut files = Catalogue::built_in_files();
    let birth = files.iter().find(|file| file.name == BIRTH).expect("there").text.clone();
    // A newer version of the country, which the region has not looked at yet.
    files.push(File::new(
        "federal/birth-of-child@2026.10.toml",
        birth.replacen("version = \"2026.2\"", "version = \"2026.10\"", 1),
    ));
    let catalogue = Catalogue::read(&files, &schemas).unwrap_or_else(|wrong| panic!("{}", wrong[0]));
    let id = code("birth-of-child");
    let (yaroslavl, tula) = (Region::parse("RU-YAR").expect("a region"), Region::parse("RU-TUL").expect("a region"));
    let version = |situation: Option<&Arc<Situation>>| situation.map(|own| (own.version.to_string(), own.region.clone()));
    let new = Some(("2026.10".to_owned(), None));
    assert_eq!(version(catalogue.situation(&id, None)), new);
    assert_eq!(version(catalogue.situation(&id, Some(&tula))), new);
    assert_eq!(version(catalogue.situation(&id, Some(&yaroslavl))), new, "what the region has is of an older version");
    let old = Version::parse("2026.2").expect("a version");
    let begun = catalogue.version(&id, &old, Some(&yaroslavl));
    assert_eq!(version(begun), Some(("2026.2".to_owned(), Some(yaroslavl))));
    let step = begun.and_then(|own| own.step(own.step_named(&code("health-policy"))?)).expect("there");
    assert_eq!((step.channel.to_string(), step.deadline.to_string()), ("onestop@perinatal-clinic".to_owned(), "PT4H".to_owned()));
    assert_eq!(version(catalogue.version(&id, &old, Some(&tula))), Some(("2026.2".to_owned(), None)));
}
