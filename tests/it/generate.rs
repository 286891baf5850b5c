//! Documents made up from a seed: each well-formed and within the subset, and as unusual as that allows.

/// The generator SplitMix64: the same seed gives the same documents on every machine.
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % bound as u64) as usize
    }

    pub fn one_in(&mut self, bound: usize) -> bool {
        self.below(bound) == 0
    }

    pub fn pick<'t>(&mut self, choices: &[&'t str]) -> &'t str {
        choices[self.below(choices.len())]
    }
}

const PREFIXES: [&str; 5] = ["", "p", "q", "Ж", "_x-1.y"];
/// Each namespace name in two spellings.
const NAMESPACES: [[&str; 2]; 5] = [
    ["u:1", "u:&#49;"],
    ["u:2", "&#x75;:2"],
    ["http://example.org/a?b=1;c", "http://example.org/a?b=1&#59;c"],
    ["urn:%D0%96", "urn:&#37;D0%96"],
    ["urn:z", "urn:z"],
];
const LOCALS: [&str; 6] = ["a", "b", "Name", "имя", "x.y-z_1", "éa"];
const SPACES: [&str; 6] = [" ", " ", "  ", "\n", "\t", "\r\n  "];
const TEXTS: [&str; 22] = [
    "x",
    "some text",
    "  ",
    "\n",
    "\r\n",
    "\r",
    "\t",
    ">",
    "]]",
    "&amp;",
    "&lt;",
    "&gt;",
    "&quot;",
    "&apos;",
    "&#13;",
    "&#xA;",
    "&#9;",
    "Иванова",
    "😀",
    "&#x1F600;",
    "\"'",
    "&#233;",
];
const VALUES: [&str; 20] = [
    "",
    "v",
    "a b",
    " lead",
    "\t",
    "\n",
    "\r\n",
    "\r",
    "&#9;",
    "&#10;",
    "&#xD;",
    "&lt;",
    "&gt;",
    ">",
    "&amp;",
    "&quot;",
    "&apos;",
    "Ж",
    "&#x20AC;",
    "&#38;#38;",
];

/// One document.
pub fn document(random: &mut Random) -> String {
    let mut out = String::new();
    if random.one_in(3) {
        out.push_str(random.pick(&[
            "<?xml version=\"1.0\"?>",
            "<?xml version='1.0' encoding='utf-8' ?>\r\n",
            "<?xml version=\"1.0\" standalone='no'?>\n",
        ]));
    }
    out.push_str(random.pick(&["", "", "\n", " \r\n\t"]));
    let mut budget = 1 + random.below(24);
    element(random, &mut out, &mut Vec::new(), &mut budget);
    out.push_str(random.pick(&["", "\n", "\r\n \t"]));
    out
}

/// A prefix and the index of its namespace; no index for the default namespace undeclared.
type Binding = (&'static str, Option<usize>);

fn element(random: &mut Random, out: &mut String, scope: &mut Vec<Binding>, budget: &mut usize) {
    let outer = scope.len();
    let mut tag = declarations(random, scope);
    let usable = |scope: &[Binding], prefix: &str| prefix.is_empty() || scope.iter().any(|(bound, _)| *bound == prefix);
    let prefix = Some(random.pick(&PREFIXES)).filter(|prefix| usable(scope, prefix)).unwrap_or("");
    let name = qualified(prefix, random.pick(&LOCALS));
    tag.extend(attributes(random, scope));
    for at in (1..tag.len()).rev() {
        tag.swap(at, random.below(at + 1));
    }
    out.push('<');
    out.push_str(&name);
    for attribute in &tag {
        out.push_str(random.pick(&SPACES));
        out.push_str(attribute);
    }
    out.push_str(random.pick(&["", "", "", " ", "\r\n"]));
    if random.one_in(4) {
        out.push_str("/>");
    } else {
        out.push('>');
        content(random, out, scope, budget);
        out.push_str("</");
        out.push_str(&name);
        out.push_str(random.pick(&["", "", " ", "\n"]));
        out.push('>');
    }
    scope.truncate(outer);
}

fn content(random: &mut Random, out: &mut String, scope: &mut Vec<Binding>, budget: &mut usize) {
    for _ in 0..random.below(6) {
        if *budget > 0 && random.one_in(2) {
            *budget -= 1;
            element(random, out, scope, budget);
        } else {
            let text = random.pick(&TEXTS);
            // What would end a CDATA section is not allowed in text.
            out.push_str(if text.starts_with('>') && out.ends_with("]]") { "&gt;" } else { text });
        }
    }
}

/// Declares up to three prefixes, used or not, bound before or not.
fn declarations(random: &mut Random, scope: &mut Vec<Binding>) -> Vec<String> {
    let mut written = Vec::new();
    let mut seen = Vec::new();
    for _ in 0..random.below(4) {
        let prefix = random.pick(&PREFIXES);
        if seen.contains(&prefix) {
            continue;
        }
        seen.push(prefix);
        let undeclare = prefix.is_empty() && random.one_in(2);
        let namespace = (!undeclare).then(|| random.below(NAMESPACES.len()));
        let spelling = namespace.map_or("", |index| NAMESPACES[index][usize::from(random.one_in(4))]);
        let name = if prefix.is_empty() { "xmlns".to_owned() } else { format!("xmlns:{prefix}") };
        scope.push((prefix, namespace));
        written.push(assigned(random, &name, spelling));
    }
    written
}

/// Up to four attributes with different expanded names.
fn attributes(random: &mut Random, scope: &[Binding]) -> Vec<String> {
    let mut written = Vec::new();
    let mut seen = Vec::new();
    for _ in 0..random.below(5) {
        let prefix = random.pick(&PREFIXES);
        let bound = scope.iter().rev().find(|(bound, _)| *bound == prefix).and_then(|(_, namespace)| *namespace);
        let (prefix, namespace) = if prefix.is_empty() || bound.is_none() { ("", None) } else { (prefix, bound) };
        let local = random.pick(&LOCALS);
        let name = if random.one_in(12) { random.pick(&["xml:lang", "xml:space"]).to_owned() } else { qualified(prefix, local) };
        let key = if name.starts_with("xml:") { (None, name.clone()) } else { (namespace, local.to_owned()) };
        if seen.contains(&key) {
            continue;
        }
        seen.push(key);
        let value: String = (0..random.below(4)).map(|_| random.pick(&VALUES)).collect();
        written.push(assigned(random, &name, &value));
    }
    written
}

fn qualified(prefix: &str, local: &str) -> String {
    if prefix.is_empty() { local.to_owned() } else { format!("{prefix}:{local}") }
}

fn assigned(random: &mut Random, name: &str, value: &str) -> String {
    let equals = random.pick(&["=", "=", "=", " =", "= ", "\n=\t"]);
    let quote = random.pick(&["\"", "'"]);
    format!("{name}{equals}{quote}{value}{quote}")
}
