//! What is tried out at the console and changes nothing: another limit, another catalogue; and what it finds by a digest.

use crate::console::{SCHOOL, Site};
use oncegate::host::control::Command;
use oncegate::program::demo::Behaviour;

const WHY: (&str, &str) = ("school-attendance", "XX:HEALTH:13");

#[test]
fn a_message_is_found_by_its_digest_in_every_form_in_which_tools_write_one() {
    let site = Site::start();
    site.ask(SCHOOL, Behaviour::Honest, WHY);
    let mut auditor = site.auditor();
    let page = auditor.get("/log/0").text();
    let digest: String = page
        .split("<code>")
        .map(|rest| rest.chars().take_while(char::is_ascii_hexdigit).collect::<String>())
        .find(|digits| digits.len() == 64)
        .unwrap_or_else(|| panic!("no digest on {page}"));
    for sought in [digest.clone(), digest.to_ascii_uppercase()] {
        let found = auditor.post("/find", &[("q", &sought)]);
        assert_eq!(found.header("location"), Some(format!("/log?digest={digest}")), "{sought}");
    }
    let rows: serde_json::Value =
        serde_json::from_str(&auditor.get(&format!("/log?digest={digest}&as=json")).text()).expect("JSON");
    let indexes: Vec<u64> = rows.as_array().expect("rows").iter().filter_map(|row| row["index"].as_u64()).collect();
    assert_eq!(indexes, [0], "{rows}");
    let other = format!("/log?digest={}&as=json", "ab".repeat(32));
    assert_eq!(auditor.get(&other).text().trim(), "[]");
    assert_eq!(auditor.get("/log?digest=ab").status, 400);
}

#[test]
fn another_limit_is_tried_out_on_what_came() {
    let site = Site::start();
    (0..6).for_each(|_| drop(site.ask(SCHOOL, Behaviour::Honest, WHY)));
    let mut operator = site.operator();
    let page =
        |operator: &mut crate::console::Browser, limit: &str| operator.get(&format!("/agencies/{SCHOOL}?limit={limit}")).text();
    let small = page(&mut operator, "1");
    assert!(small.contains("of 6 requests would have been refused, in"), "{small}");
    let large = page(&mut operator, "600");
    assert!(large.contains("none of 6 requests would have been refused"), "{large}");
    for limit in ["0", "-1", "1000001", "many", "1.5"] {
        assert_eq!(operator.get(&format!("/agencies/{SCHOOL}?limit={limit}")).status, 400, "{limit}");
    }
    let all = operator.get("/agencies?share=50").text();
    assert!(all.contains("Hours over 50 %"), "{all}");
    assert_eq!(operator.get("/agencies?share=101").status, 400);
}

#[test]
fn what_is_unusual_is_looked_for_without_naming_anybody() {
    let site = Site::start();
    let (asked, _) = site.ask(SCHOOL, Behaviour::Honest, WHY);
    let mut security = site.browser("s", &["security"], None);
    let page = security.get("/security?days=7").text();
    assert!(page.contains("What is unusual in the last 7 days"), "{page}");
    assert!(asked.personal.iter().all(|text| !page.contains(text.as_str())));
    for days in ["0", "91", "x", "18446744073709551616"] {
        assert_eq!(security.get(&format!("/security?days={days}")).status, 400, "{days}");
    }
}

#[test]
fn the_last_change_of_the_registry_is_told_with_what_it_means() {
    let site = Site::start();
    let mut operator = site.operator();
    assert!(operator.get("/documents").text().contains("It has not changed since"));
    let grant = format!(
        "\n[[grant]]\nid = \"later\"\nwho = \"{SCHOOL}\"\nwhat = \"medical-absence-note\"\npurpose = \"statistics\"\n\
         basis = \"XX:S:1\"\nuntil = \"2099-12-31\"\n"
    );
    site.world.demo().installation().extend_registry(&grant).expect("granted");
    assert!(site.tell(Command::Reload).refused.is_empty());
    let page = operator.get("/documents").text();
    assert!(page.contains("came after version") && page.contains("widens") && page.contains("grant later"), "{page}");
    // An agency is not told of others.
    let mut agency = site.browser("x", &["agency"], Some(SCHOOL));
    assert!(!agency.get("/documents").text().contains("grant later"));
}
