//! Agencies in whose place others stand: what is addressed to the old name reaches whoever does the work now.

use super::{AgencyIndex, Loaded, Registry};
use crate::base::ids::AgencyId;
use crate::base::limits;

/// An agency in whose place another stands, and where a registry says so.
pub(super) struct Succeeded {
    pub(super) old: AgencyIndex,
    pub(super) place: usize,
    pub(super) by: String,
}

/// Whoever stands in an agency's place stands there itself, in the same world.
pub(super) fn succeed(registry: &mut Registry, succeeded: Vec<Succeeded>) -> Loaded<()> {
    for Succeeded { old, place, by } in &succeeded {
        let wrong = |what: String| Err((*place, what));
        let new = AgencyId::parse(by).and_then(|id| registry.find(&id));
        let Some((new, old)) = new.zip(Some(*old)) else { return wrong(format!("no agency is called \"{by}\"")) };
        if new == old || succeeded.iter().any(|other| other.old == new) {
            return wrong(format!("another stands in the place of {by} too: name the one that does the work"));
        }
        let [Some(from), Some(to)] = [registry.agency(old), registry.agency(new)] else { continue };
        if from.world != to.world {
            return wrong(format!("{by} is of another world than {}", from.id));
        }
        let most = limits::SUCCESSION_BYTES_MAX;
        if from.id.as_str().len().saturating_add(by.len()) > most {
            return wrong(format!("the names of {} and {by} have together at most {most} characters", from.id));
        }
        registry.successors.insert(old, new);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::base::ids::AgencyId;
    use crate::base::limits;
    use crate::message::schema::Schemas;
    use crate::rules::registry::Registry;

    fn registry(agencies: &[(&str, &str)]) -> Result<Registry, String> {
        let agency = |(id, more): &(&str, &str)| format!("[[agency]]\nid = \"{id}\"\nname = \"A\"\n{more}\n");
        let text = format!("format = 1\nversion = 1\n{}", agencies.iter().map(agency).collect::<String>());
        Registry::check(&text, &Schemas::built_in()).map_err(|error| error.to_string())
    }

    #[test]
    fn another_stands_in_the_place_of_an_agency() {
        let known = registry(&[
            ("xx.jobs-1", "succeeded_by = \"xx.desk\""),
            ("xx.jobs-2", "succeeded_by = \"xx.desk\""),
            ("xx.desk", ""),
        ]);
        let known = known.expect("good");
        let [one, two, desk] =
            ["xx.jobs-1", "xx.jobs-2", "xx.desk"].map(|id| known.find(&AgencyId::parse(id).expect("a name")).expect("known"));
        assert_eq!([one, two, desk].map(|index| known.acting(index)), [desk; 3]);
        let names: Vec<&str> = known.names_of(desk).map(AgencyId::as_str).collect();
        assert_eq!(names, ["xx.desk", "xx.jobs-1", "xx.jobs-2"]);
        assert_eq!(known.names_of(one).count(), 1);
    }

    #[test]
    fn nobody_stands_in_a_place_that_cannot_be_filled() {
        for (agencies, said) in [
            (&[("xx.a", "succeeded_by = \"xx.b\"")][..], "no agency is called \"xx.b\""),
            (&[("xx.a", "succeeded_by = \"xx.a\"")], "another stands in the place of xx.a too"),
            (
                &[("xx.a", "succeeded_by = \"xx.b\""), ("xx.b", "succeeded_by = \"xx.c\""), ("xx.c", "")],
                "in the place of xx.b too",
            ),
            (&[("xx.a", "succeeded_by = \"xx.b\""), ("xx.b", "test = true")], "xx.b is of another world than xx.a"),
        ] {
            let wrong = registry(agencies).expect_err(said);
            assert!(wrong.contains(said) && wrong.starts_with("line 6, "), "{wrong}");
        }
    }

    /// Both names are in a leaf.
    #[test]
    fn the_names_of_a_succession_have_so_many_characters_and_no_more() {
        let is_taken = |length: usize| {
            let old = format!("xx.{}.{}", "a".repeat(40), "b".repeat(length - "xx.".len() * 2 - 41 - 1));
            registry(&[(&old, "succeeded_by = \"xx.c\""), ("xx.c", "")]).is_ok()
        };
        assert_eq!([limits::SUCCESSION_BYTES_MAX, limits::SUCCESSION_BYTES_MAX + 1].map(is_taken), [true, false]);
    }
}
