//! Which file of a set stands for what is named from the web: OASIS XML Catalogs 1.1 (`uri`, `system`, `rewriteURI`,
//! `rewriteSystem`) or lines of two columns. Nothing is ever fetched.

use roxmltree::{Document, ParsingOptions};

/// Names from the web, namespaces or locations, each with a path inside the set.
#[derive(Clone, Debug, Default)]
pub struct Catalogue {
    names: Vec<(String, String)>,
    beginnings: Vec<(String, String)>,
}

/// The files that are looked for in the folder of a set.
pub const FILES: [&str; 3] = ["catalog.xml", "catalogue.tsv", "WEB.tsv"];

impl Catalogue {
    /// Reads lines of a namespace or location, a tab, and a path. Lines with other columns are for people.
    pub fn read_lines(&mut self, text: &str) {
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            if let [name, path] = line.split('\t').map(str::trim).collect::<Vec<_>>()[..] {
                self.names.push((name.to_owned(), path.to_owned()));
            }
        }
    }

    /// Reads an OASIS catalogue.
    pub fn read_xml(&mut self, text: &str) -> Result<(), String> {
        let options = ParsingOptions { allow_dtd: true, ..ParsingOptions::default() };
        let document = Document::parse_with_options(text, options).map_err(|error| error.to_string())?;
        for node in document.descendants().filter(|node| node.tag_name().namespace() == Some(NAMESPACE)) {
            let pair = |name: &str, path: &str| Some((node.attribute(name)?.to_owned(), node.attribute(path)?.to_owned()));
            match node.tag_name().name() {
                "uri" => self.names.extend(pair("name", "uri")),
                "system" => self.names.extend(pair("systemId", "uri")),
                "rewriteURI" => self.beginnings.extend(pair("uriStartString", "rewritePrefix")),
                "rewriteSystem" => self.beginnings.extend(pair("systemIdStartString", "rewritePrefix")),
                _ => {}
            }
        }
        Ok(())
    }

    /// The path for a location or a namespace; of several beginnings that fit the longest counts.
    pub fn find(&self, name: &str) -> Option<String> {
        if let Some((_, path)) = self.names.iter().find(|(known, _)| known == name) {
            return Some(path.clone());
        }
        let fitting = self.beginnings.iter().filter(|(beginning, _)| name.starts_with(beginning.as_str()));
        let (beginning, path) = fitting.max_by_key(|(beginning, _)| beginning.len())?;
        Some(format!("{path}{}", name.get(beginning.len()..)?))
    }
}

const NAMESPACE: &str = "urn:oasis:names:tc:entity:xmlns:xml:catalog";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_are_read() {
        let mut read = Catalogue::default();
        read.read_lines("http://example.org/a\tweb/a.xsd\n# b\tc\nfor people\thttp://example.org/b\tnot to be had\n");
        read.read_xml(
            "<catalog xmlns='urn:oasis:names:tc:entity:xmlns:xml:catalog'><uri name='urn:b' uri='b.xsd'/>\
             <group><system systemId='http://example.org/s.xsd' uri='s.xsd'/></group>\
             <rewriteURI uriStartString='http://example.org/' rewritePrefix='org/'/>\
             <rewriteURI uriStartString='http://example.org/long/' rewritePrefix='long/'/></catalog>",
        )
        .expect("a catalogue");
        let found = |name| read.find(name).unwrap_or_default();
        assert_eq!(found("http://example.org/a"), "web/a.xsd");
        assert_eq!((found("urn:b"), found("http://example.org/s.xsd")), ("b.xsd".to_owned(), "s.xsd".to_owned()));
        assert_eq!(found("http://example.org/x/y.xsd"), "org/x/y.xsd");
        assert_eq!(found("http://example.org/long/y.xsd"), "long/y.xsd");
        assert_eq!((found("for people"), found("c")), (String::new(), String::new()));
        assert!(read.read_xml("<catalog").is_err());
    }
}
