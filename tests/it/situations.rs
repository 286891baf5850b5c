//! Life situations as their users meet them: files, commands, the page for curators.

use crate::folder::Folder;
use crate::process::oncegate;
use crate::tool::{root, said};
use oncegate::base::ids::Code;
use oncegate::message::schema::Schemas;
use oncegate::rules::condition::{Value, Verdict};
use oncegate::rules::situation::Catalogue;
use oncegate::rules::situation::plan::{Knowledge, Plan};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

fn run(arguments: &[&str]) -> Output {
    Command::new(oncegate()).args(arguments).stdin(Stdio::null()).output().expect("it starts")
}

fn good(arguments: &[&str]) -> String {
    let output = run(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", said(&output));
    String::from_utf8(output.stdout).expect("UTF-8")
}

fn json(arguments: &[&str]) -> serde_json::Value {
    serde_json::from_str(&good(arguments)).expect("JSON")
}

#[test]
fn the_catalogue_of_the_folder_is_that_of_the_program() {
    fn names(folder: &Path, within: &str, found: &mut BTreeSet<String>) {
        for entry in fs::read_dir(folder).expect("readable") {
            let entry = entry.expect("readable");
            let name = format!("{within}{}", entry.file_name().to_string_lossy());
            if entry.path().is_dir() { names(&entry.path(), &format!("{name}/"), found) } else { found.extend([name]) }
        }
    }
    let mut found = BTreeSet::new();
    names(&root().join("schemas/catalogue"), "", &mut found);
    let listed: BTreeSet<String> = Catalogue::built_in_files().into_iter().map(|file| file.name).collect();
    assert_eq!(found, listed);
}

/// The blocks of docs/situations.md, as they stand there; what the page shows of their results is in what they print.
#[test]
fn from_an_empty_file_to_a_tested_situation() {
    let page = fs::read_to_string(root().join("docs/situations.md")).expect("readable");
    let (guide, _) = page.split_once("\n## Files").expect("the guide comes first");
    let folder = Folder::new();
    let program = Path::new(oncegate()).parent().expect("a folder");
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap_or_default());
    let mut printed = String::new();
    for part in guide.split("```").collect::<Vec<_>>().chunks(2) {
        let Some(block) = part.get(1) else { continue };
        if let Some(script) = block.strip_prefix("sh\n") {
            let output = Command::new("bash")
                .args(["-euo", "pipefail", "-c", script])
                .current_dir(folder.path())
                .env("PATH", &path)
                .output();
            let output = output.expect("bash starts");
            assert!(output.status.success(), "{script}\n{}", said(&output));
            printed.push_str(&String::from_utf8_lossy(&output.stdout));
            printed.push_str(&String::from_utf8_lossy(&output.stderr));
        } else if let Some(shown) = block.strip_prefix("text\n") {
            assert!(printed.contains(shown.trim_end()), "the page shows\n{shown}\nand these print\n{printed}");
        }
    }
    for words in [
        "| `dog` | 2 | 2 |",
        "gain the step discount",
        "wait longer: a loss",
        "people lose by dog; --accept-loss if that is meant",
    ] {
        assert!(printed.contains(words), "{words} is not in\n{printed}");
    }
}

/// A situation is a file: what the program never heard of is planned.
#[test]
fn a_new_situation_is_a_file() {
    let folder = Folder::new();
    let own = folder.path().join("own");
    fs::create_dir_all(own.join("federal")).expect("a folder");
    let birth = fs::read_to_string(root().join("schemas/catalogue/federal/birth-of-child.toml")).expect("readable");
    let twins = birth.replacen("id = \"birth-of-child\"", "id = \"twins\"", 1).replacen("Birth of a child", "Birth of twins", 1);
    fs::write(own.join("federal/twins.toml"), &twins).expect("written");
    let own = own.to_string_lossy().into_owned();
    assert!(good(&["catalogue", "list", "--catalogue", &own]).contains("Birth of twins"));
    let plan = good(&["situation", "plan", "twins", "--catalogue", &own, "--fact", "child.live_birth=true", "--explain"]);
    assert!(plan.contains("because child.live_birth is true (from the start)"), "{plan}");
    let plan = json(&["situation", "plan", "twins", "--catalogue", &own, "--json"]);
    assert!(plan["steps"].as_array().is_some_and(|steps| steps.len() >= 10) && plan["fetch"].as_array().is_some(), "{plan}");
    // A file alone is planned as well, and a broken one is told as it is checked.
    let file = folder.path().join("triplets.toml");
    fs::write(&file, twins.replacen("id = \"twins\"", "id = \"triplets\"", 1)).expect("written");
    good(&["situation", "plan", &file.to_string_lossy()]);
    fs::write(&file, twins.replacen("id = \"twins\"", "id = \"triplets\"", 1).replace("1wd", "soon")).expect("written");
    let broken = run(&["situation", "plan", &file.to_string_lossy()]);
    assert_eq!(broken.status.code(), Some(2));
    assert!(said(&broken).contains("OG-CAT-007 \"soon\" is not a term"), "{}", said(&broken));
}

#[test]
fn overlay_may_not_worsen() {
    let folder = Folder::new();
    let path = folder.path().to_string_lossy().into_owned();
    let refused = |name: &str, from: &str, to: &str| {
        let file = folder.path().join(name);
        fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
        let text = fs::read_to_string(root().join("schemas/catalogue").join(name)).expect("readable");
        assert!(text.contains(from), "{name}");
        fs::write(&file, text.replacen(from, to, 1)).expect("written");
        let refused = run(&["catalogue", "check", &path]);
        assert_eq!(refused.status.code(), Some(2));
        fs::remove_file(file).expect("removed");
        said(&refused)
    };
    let told = refused("region/RU-YAR/birth-of-child.toml", "deadline = \"PT4H\"", "deadline = \"9wd\"");
    assert!(told.contains("OG-CAT-010 people would wait longer for register-birth: 9wd instead of 1wd"), "{told}");
    assert!(told.contains("    deadline = \"9wd\"\n               ^^^^^"), "{told}");
    // The country has another version now: the region has to look at it first.
    let told = refused("federal/birth-of-child.toml", "version = \"2026.2\"", "version = \"2026.3\"");
    assert!(told.contains("region/RU-YAR/birth-of-child.toml:"), "{told}");
    assert!(
        told.contains("OG-CAT-011 birth-of-child has no version 2026.2; it has 2026.3. Compare them and write base = \"...\""),
        "{told}"
    );
    assert!(told.contains("    base = \"2026.2\"\n           ^^^^^^^^"), "{told}");
    assert!(good(&["catalogue", "check", &path]).starts_with("good: 24 situations"), "as it is, it is good");
}

/// The plan of one mother, whose child needs more than others: five agencies everywhere, and the clinic in Yaroslavl.
#[test]
fn situation_birth_spans_6_agencies() {
    let mother = [
        "child.live_birth=true",
        "child.has_special_needs=true",
        "child.birth_order=1",
        "mother.married=true",
        "mother.employed=true",
        "mother.citizen=true",
        "mother.income_ratio=150",
        "mother.wants_kindergarten=true",
    ];
    let plan = |region: &[&str]| -> BTreeSet<String> {
        let facts = mother.iter().flat_map(|fact| ["--fact", fact]);
        let plan = ["situation", "plan", "birth-of-child", "--json"].into_iter().chain(region.iter().copied()).chain(facts);
        let plan = json(&plan.collect::<Vec<_>>());
        let steps = plan["steps"].as_array().expect("steps").iter();
        let steps: Vec<_> = steps.filter(|step| step["stage"] != "off").collect();
        assert!(steps.iter().all(|step| step["stage"] == "waits"), "all of them apply, and wait for documents: {plan}");
        steps.iter().filter_map(|step| step["agency"].as_str()).map(str::to_owned).collect()
    };
    assert_eq!(plan(&[]), ["kindergarten", "mvd", "sfr", "tfoms", "zags"].map(str::to_owned).into());
    let yaroslavl = plan(&["--region", "RU-YAR"]);
    assert_eq!(yaroslavl, ["clinic", "kindergarten", "mvd", "sfr", "tfoms", "zags"].map(str::to_owned).into());
}

#[test]
fn in_yaroslavl_the_clinic_issues_both_papers_within_four_hours() {
    let region = json(&["catalogue", "show", "birth-of-child", "--region", "RU-YAR", "--json"]);
    let steps = region["steps"].as_array().expect("steps");
    for id in ["register-birth", "health-policy"] {
        let step = steps.iter().find(|step| step["id"] == id).expect("there");
        assert_eq!(
            (step["channel"].as_str(), step["deadline"].as_str()),
            (Some("onestop@perinatal-clinic"), Some("PT4H")),
            "{step}"
        );
    }
}

/// The register of services: whatever a step names is in it, once, with that step, and no service is two by law.
#[test]
fn every_service_of_an_agency_is_there_once() {
    let list = json(&["catalogue", "list", "--json"]);
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let name = |of: &serde_json::Value| (text(&of["agency"]), text(&of["service"]));
    let situations = list["situations"].as_array().expect("situations");
    let country: BTreeSet<&str> =
        situations.iter().filter(|own| own["region"].is_null()).filter_map(|own| own["id"].as_str()).collect();
    assert!(country.len() >= 24, "{country:?}");
    let mut listed = BTreeMap::new();
    for service in list["services"].as_array().expect("services") {
        assert!(service["legal"].as_array().is_some_and(|legal| legal.len() <= 1), "two services of one name: {service}");
        let steps = service["steps"].as_array().expect("steps").iter();
        let steps: BTreeSet<_> = steps.map(|of| (text(&of["situation"]), text(&of["region"]), text(&of["step"]))).collect();
        assert!(!steps.is_empty() && !text(&service["title"]).is_empty(), "{service}");
        assert!(listed.insert(name(service), steps).is_none(), "it is there twice: {service}");
    }
    let mut left: BTreeSet<_> = listed.iter().flat_map(|(name, steps)| steps.iter().map(move |step| (name, step))).collect();
    for situation in situations {
        for step in situation["steps"].as_array().expect("steps") {
            let (service, steps) = listed.get_key_value(&name(step)).unwrap_or_else(|| panic!("it is not listed: {step}"));
            let own = |region: &str| (text(&situation["id"]), region.to_owned(), text(&step["id"]));
            // What the country has is not listed again for its regions.
            let found = steps.get(&own("")).or_else(|| steps.get(&own(&text(&situation["region"]))));
            left.remove(&(service, found.unwrap_or_else(|| panic!("it is listed without {} of {step}", situation["id"]))));
        }
    }
    assert!(left.is_empty(), "no situation has these: {left:?}");
}

/// What docs/situations.md shows for more people.
#[test]
fn each_situation_gives_sixteen_plans_and_asks_twice_at_most() {
    let people = "1000";
    let told = json(&["catalogue", "population", "--people", people, "--json"]);
    let situations = told["situations"].as_array().expect("situations");
    assert!(situations.iter().filter(|own| own["region"].is_null()).count() >= 24, "{told}");
    for situation in situations {
        let number = |value: &serde_json::Value| value.as_f64().expect("a number");
        assert!(number(&situation["plans"]) >= 16.0, "people are told apart too little: {situation}");
        assert!(number(&situation["questions"]["most"]) <= 2.0, "{situation}");
        assert!(number(&situation["forms"]) <= 1.0, "what is asked comes in one form: {situation}");
        let halved = &situation["documentsHalved"];
        assert!(number(&halved["count"]) >= 0.95 * number(&halved["of"]), "{situation}");
    }
}

/// For parents of three, people with a disability and those shortly before their pension, whatever else is so of them.
#[test]
fn individual_work_is_for_whom_the_law_names() {
    let catalogue = Catalogue::built_in(&Schemas::built_in()).expect("it is good");
    let code = |text| Code::parse(text).expect("a code");
    let situation = catalogue.situation(&code("loss-of-work"), None).expect("there");
    let step = usize::from(situation.step_named(&code("individual-work")).expect("there").0);
    let both = [false, true];
    for (children, has_disability, pre_pension) in
        (0..=4).flat_map(|children| both.into_iter().flat_map(move |one| both.map(|other| (children, one, other))))
    {
        let is_named = children >= 3 || has_disability || pre_pension;
        // All else, one way and the other.
        for (otherwise, reason, number) in [(false, "own-wish", 0), (true, "liquidation", 52)] {
            let mut knowledge = Knowledge::new(situation);
            for (name, value) in [
                ("worker.dismissed", Value::Truth(true)),
                ("worker.children_under_18", Value::Number(children)),
                ("worker.has_disability", Value::Truth(has_disability)),
                ("worker.pre_pension", Value::Truth(pre_pension)),
                ("worker.dismissal_reason", Value::Text(reason.into())),
                ("worker.weeks_in_year", Value::Number(number)),
                ("worker.income_ratio", Value::Number(number)),
                ("worker.wants_training", Value::Truth(otherwise)),
                ("worker.wants_business", Value::Truth(otherwise)),
            ] {
                knowledge.start_with(catalogue.fact_named(name).expect(name), value);
            }
            let plan = Plan::make(&catalogue, situation, &knowledge);
            let applies = if is_named { Verdict::Yes } else { Verdict::No };
            assert_eq!(plan.steps[step].applies, applies, "{children} {has_disability} {pre_pension} {reason}");
        }
    }
}

/// From the third child to the first: one number in one line of one file, and who gains is counted before it is released.
#[test]
fn one_number_in_one_file_and_who_gains_is_counted() {
    let folder = Folder::new();
    let [old, new] = ["old", "new"].map(|name| folder.path().join(name));
    let overlay = fs::read_to_string(root().join("schemas/catalogue/region/RU-YAR/birth-of-child.toml")).expect("readable");
    for (place, text) in [(&old, overlay.clone()), (&new, overlay.replacen("birth_order >= 3", "birth_order >= 1", 1))] {
        fs::create_dir_all(place.join("region/RU-YAR")).expect("a folder");
        fs::write(place.join("region/RU-YAR/birth-of-child.toml"), text).expect("written");
    }
    let [old, new] = [&old, &new].map(|place| place.to_string_lossy().into_owned());
    let told = json(&["catalogue", "diff", &old, &new, "--population", "300", "--json"]);
    let changes = told["changes"].as_array().expect("changes");
    let own = changes.iter().find(|change| change["situation"] == "birth-of-child@RU-YAR").expect("there");
    let gained = own["stepsGained"]["yar.third-child-kit"].as_u64().unwrap_or(0);
    // Orders are spread evenly over 1 to 4, and the kit is for those below a threshold of income.
    assert!((35..80).contains(&gained), "{own}");
    assert_eq!((own["daysLost"].as_u64(), own["documentsLost"].as_u64()), (Some(0), Some(0)), "{own}");
    let back = run(&["catalogue", "diff", &new, &old, "--population", "300"]);
    assert_eq!(back.status.code(), Some(1), "{}", said(&back));
    assert!(
        good(&["catalogue", "diff", &new, &old, "--population", "300", "--accept-loss"])
            .contains("lose the step yar.third-child-kit")
    );
}

/// As large as a country's: it is read, and a broken file in it is found.
#[test]
fn seventy_situations_and_four_hundred_overlays_are_read() {
    let folder = Folder::new();
    let large = folder.path().join("large").to_string_lossy().into_owned();
    good(&["catalogue", "generate", &large]);
    let told = json(&["catalogue", "check", &large, "--json"]);
    assert_eq!((told["situations"].as_u64(), told["overlays"].as_u64()), (Some(70), Some(400)), "{told}");
    let one = Path::new(&large).join("federal/birth-of-child-0.toml");
    let text = fs::read_to_string(&one).expect("readable");
    fs::write(&one, text.replacen("agency = \"tfoms\"", "agency = \"tfmos\"", 1)).expect("written");
    let broken = said(&run(&["catalogue", "check", &large]));
    assert!(broken.contains("OG-CAT-002 no agency is called tfmos; did you mean tfoms?"), "{broken}");
}

/// Which agencies, holders and grants the registry of a gateway lacks for the situations.
#[test]
fn the_registry_is_held_against_what_situations_need() {
    let folder = Folder::new();
    let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    let (office, config, own) = (path("office"), path("office/oncegate.toml"), path("own"));
    fs::create_dir_all(&own).expect("a folder");
    let offices = "format = 1\n[[office]]\nkind = \"school\"\nagency = \"xx.town.school-1\"\n[[office]]\nkind = \"zags\"\nagency = \"xx.nobody\"\n";
    fs::write(path("own/offices.toml"), offices).expect("written");
    good(&["init", &office]);
    good(&["agency", "add", "xx.town.school-1", "--in", &office, "--name", "School 1"]);
    good(&["agency", "add", "xx.town.clinic-1", "--in", &office, "--name", "Clinic 1", "--url", "https://localhost:9443/"]);
    let lacking = || {
        let output = run(&["catalogue", "check", &own, "-c", &config]);
        assert_eq!(output.status.code(), Some(2), "{}", said(&output));
        said(&output)
    };
    let holder = "pupil-illness: OG-CAT-006 nobody in the registry holds medical-absence-note";
    let grant = "pupil-illness: OG-CAT-012 xx.town.school-1 has no grant for medical-absence-note for school-attendance, which its step excuse needs";
    let before = lacking();
    for line in [
        holder,
        grant,
        "birth-of-child: OG-CAT-002 xx.nobody is not in the registry",
        "birth-of-child: OG-CAT-002 offices.toml names no agency for sfr",
    ] {
        assert!(before.contains(line), "{line} is not in\n{before}");
    }
    good(&["agency", "holds", "xx.town.clinic-1", "medical-absence-note", "--in", &office]);
    assert!(!lacking().contains(holder));
    let wide = ["--who", "xx.town.school-1", "--what", "medical-absence-note", "--basis", "XX:1", "--until", "2099-12-31"];
    let granted = |id: &str, purpose: &str| {
        let arguments: Vec<&str> =
            ["agency", "grant", id, "--in", &office, "--purpose", purpose].into_iter().chain(wide).collect();
        good(&arguments);
    };
    granted("for-meals", "meals");
    assert!(lacking().contains(grant), "a grant for another purpose is none");
    granted("for-attendance", "school-attendance");
    assert!(!lacking().contains(grant));
}
