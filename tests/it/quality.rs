//! Quality of service as its users meet it: commands, files, the page.

use crate::folder::Folder;
use crate::process::oncegate;
use crate::tool::{root, said};
use oncegate::base::limits;
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

fn ends(status: i32, folder: &Path, arguments: &[&str]) -> (String, String) {
    let output = Command::new(oncegate()).args(arguments).current_dir(folder).stdin(Stdio::null()).output().expect("it starts");
    assert_eq!(output.status.code(), Some(status), "{arguments:?}: {}", said(&output));
    let text = |octets: &[u8]| String::from_utf8(octets.to_vec()).expect("UTF-8");
    (text(&output.stdout), text(&output.stderr))
}

fn json(folder: &Path, arguments: &[&str]) -> Value {
    let (out, _) = ends(0, folder, &[&["quality"], arguments, &["--json"]].concat());
    let told: Value = serde_json::from_str(&out).unwrap_or_else(|error| panic!("{arguments:?}: {error}: {out}"));
    assert_eq!(told["format"], 1, "{out}");
    told
}

/// A line of the text, however wide its columns are.
fn narrow(text: &str) -> Vec<String> {
    text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

/// The blocks of docs/quality.md, as they stand there; what the page shows of their results is in what they print.
#[test]
fn the_page_about_quality_can_be_carried_out() {
    let page = fs::read_to_string(root().join("docs/quality.md")).expect("readable");
    let (guide, _) = page.split_once("\n## Questionnaires").expect("the commands come first");
    let folder = Folder::new();
    let program = Path::new(oncegate()).parent().expect("a folder");
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap_or_default());
    let (mut printed, mut scripts, mut shown) = (String::new(), 0, 0);
    for part in guide.split("```").skip(1).step_by(2) {
        if let Some(script) = part.strip_prefix("sh\n") {
            let output = Command::new("bash")
                .args(["-euo", "pipefail", "-c", script])
                .current_dir(folder.path())
                .env("PATH", &path)
                .stdin(Stdio::null())
                .output()
                .expect("bash");
            assert!(output.status.success(), "{script}\n{}", said(&output));
            printed += &String::from_utf8(output.stdout).expect("UTF-8");
            scripts += 1;
        } else if let Some(lines) = part.strip_prefix("text\n") {
            let printed = narrow(&printed);
            for line in narrow(lines) {
                assert!(printed.iter().any(|known| known.starts_with(&line)), "nothing prints {line}\n{}", printed.join("\n"));
                shown += 1;
            }
        }
    }
    assert!(scripts == 2 && shown > 8, "{scripts} {shown}");
    for said in [
        format!("| file about quality | {} MiB |", limits::QUALITY_FILE_BYTES_MAX >> 20),
        format!("| octets of a rating | {} KiB |", limits::RATING_BYTES_MAX >> 10),
        format!("| agencies of a rating | {} |", limits::RATING_AGENCIES_MAX),
    ] {
        assert!(page.contains(&said), "{said}");
    }
    assert_eq!(limits::COMMENT_CHARACTERS_MAX, 2_000);
}

#[test]
fn the_register_says_how_many_services_meet_the_standard() {
    let folder = Folder::new();
    let told = json(folder.path(), &["register"]);
    assert_eq!(
        (&told["independent"]["count"], &told["independent"]["of"], &told["agencies"]),
        (&146.into(), &228.into(), &53.into())
    );
    assert_eq!(told["byAgency"].as_array().map(Vec::len), Some(53));
    assert!(
        told["channels"].as_array().is_some_and(|rows| rows.len() > 228 && rows.iter().all(|row| row["time"] == "not measured"))
    );
    let line = r#"{"agency":"xx.town.zags","service":"birth-registration","channel":"portal","minutes":[3,8,11],"tried":1000,"worked":998}"#;
    fs::write(folder.path().join("measured.jsonl"), format!("{line}\n")).expect("written");
    let (out, _) = ends(0, folder.path(), &["quality", "register", "--measured", "measured.jsonl", "--language", "ru"]);
    let row = narrow(&out).into_iter().find(|row| row.starts_with("xx.town.zags birth-registration portal")).expect("a row");
    assert!(row.starts_with("xx.town.zags birth-registration portal 3 8.0 min 11.0 min"), "{row}");
    fs::write(folder.path().join("measured.jsonl"), format!("{line}\n{line}\n")).expect("written");
    let (_, err) = ends(2, folder.path(), &["quality", "register", "--measured", "measured.jsonl"]);
    assert!(err.contains("measured.jsonl: line 2: xx.town.zags birth-registration portal has a line already"), "{err}");
    let own = fs::read_to_string(root().join("schemas/quality/register.toml")).expect("readable");
    fs::write(folder.path().join("own.toml"), own.replace("meets_at = 8", "meets_att = 8")).expect("written");
    let (_, err) = ends(2, folder.path(), &["quality", "register", "--file", "own.toml"]);
    assert!(err.contains("own.toml:") && err.contains("OG-QUA-001") && err.contains("did you mean meets_at?"), "{err}");
}

#[test]
fn priorities_come_with_intervals_and_of_a_region_that_there_is() {
    let folder = Folder::new();
    let told = json(folder.path(), &["priorities", "--region", "RU-YAR"]);
    let names = |key: &str| told[key].as_array().expect("a list").iter().map(|one| one["id"].clone()).collect::<Vec<_>>();
    assert_eq!(names("chosen"), ["doctors-appointment", "kindergarten-queue", "disability-papers", "school-transfer"]);
    assert_eq!(told["unknown"], serde_json::json!(["veterans-grave"]));
    let (_, err) = ends(2, folder.path(), &["quality", "priorities", "--region", "RU-TUL"]);
    assert!(err.contains("has nothing of RU-TUL; it has RU-MOW, RU-YAR"), "{err}");
    ends(2, folder.path(), &["quality", "priorities", "--region", "yar"]);
}

#[test]
fn a_report_is_the_same_for_lines_in_another_order_and_has_no_comment() {
    let folder = Folder::new();
    let line = |month: &str, score: u32, more: &str| {
        format!(
            r#"{{"situation":"birth-of-child","region":"RU-YAR","month":"{month}","ending":"done","agencies":["xx.town.sfr"],"provider":"state","scores":{{"process":{score}}}{more}}}"#
        )
    };
    let mut lines: Vec<String> = (0..30).map(|number| line("2026-02", 1 + number % 5, "")).collect();
    lines.extend((0..30).map(|number| line("2026-03", 1 + number % 4, r#","text":"Ivanova was rude","reasons":["staff"]"#)));
    let write = |name: &str, lines: &[String]| fs::write(folder.path().join(name), lines.join("\n")).expect("written");
    write("one.jsonl", &lines);
    lines.reverse();
    write("other.jsonl", &lines);
    let report = |ratings: &str, language: &str| {
        let arguments = ["quality", "report", "--organisation", "xx.town.sfr", "--ratings", ratings, "--language", language];
        ends(0, folder.path(), &arguments).0
    };
    for language in ["en", "ru"] {
        let text = report("one.jsonl", language);
        assert_eq!(text, report("other.jsonl", language));
        assert!(!text.contains("Ivanova"), "{text}");
    }
    assert!(report("one.jsonl", "en").starts_with("# Quality report: Social Fund (xx.town.sfr)\n"));
    let told = json(folder.path(), &["scoreboard", "--ratings", "one.jsonl", "--invited", "100"]);
    assert_eq!((&told["total"]["satisfied"]["of"], &told["total"]["participation"]["invited"]), (&60.into(), &100.into()));
    assert!(told["dimensions"].as_array().is_some_and(|all| all.iter().filter(|one| one["scores"].is_null()).count() == 4));
    write("few.jsonl", &lines[..9]);
    let (out, _) = ends(0, folder.path(), &["quality", "scoreboard", "--ratings", "few.jsonl"]);
    assert_eq!(out, "fewer than 10 people have answered: nothing is shown\n");
    lines.push(line("2026-03", 9, ""));
    write("bad.jsonl", &lines);
    let (_, err) = ends(2, folder.path(), &["quality", "scoreboard", "--ratings", "bad.jsonl"]);
    assert!(err.contains("bad.jsonl: line 61: scores has a value that it cannot have"), "{err}");
}
