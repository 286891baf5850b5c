//! What a conformance run changes in an installation, and the switch from the test world to the live one.

use super::{Installation, NewAgency, SetupError, next_version, quoted, section, sign_registry};
use crate::base::ids::AgencyId;
use crate::message::envelope::World;
use crate::rules::registry::Registry;
use std::fs::File;
use std::path::PathBuf;

/// The file that marks the folder of an agency that was made for conformance runs; held while one is under way.
const MARK: &str = "conformance";
const MARK_TEXT: &str =
    "This agency was made by oncegate agency test, which asks in its name. Its grants are there only during a run.\n";

impl Installation {
    /// The agency in whose name runs ask in a world; made if it is not there yet. Gives its folder, and a file that is held while a run is
    /// under way: of two runs the second is refused.
    pub fn conformance_agency(&self, id: &AgencyId, world: World, gateway: &str) -> Result<(PathBuf, File), SetupError> {
        let folder = self.agency_folder(id);
        let mark = folder.join(MARK);
        if self.draft()?.find(id).is_none() {
            let more = if world == World::Test { "test = true\n" } else { "" };
            let more = format!("quota = {{ requests_per_minute = 60000, burst = 5000 }}\n{more}");
            let agency = NewAgency { id, name: "Conformance runs of this gateway", url: None, holds: &[], more: &more };
            self.add_agency(&agency, gateway)?;
            self.write(&format!("agencies/{id}/{MARK}"), MARK_TEXT)?;
        } else if !mark.exists() {
            let what = format!("{id} is in the registry and was not made for conformance runs: {} is missing", mark.display());
            return Err(SetupError::Change(what));
        }
        let held = File::open(&mark).map_err(|cause| SetupError::File(mark.clone(), cause))?;
        if held.try_lock().is_err() {
            return Err(SetupError::Change("another conformance run is under way here; wait for its end".to_owned()));
        }
        Ok((folder, held))
    }

    /// Ends all grants of an agency that were written for it alone; gives how many.
    pub fn end_grants_of(&self, id: &AgencyId) -> Result<usize, SetupError> {
        let _lock = self.lock()?;
        let mut text = next_version(&self.read("registry.toml")?)?;
        let of = |registry: &Registry| -> Vec<String> {
            let own = registry.grants_with_whom().filter(|(_, who)| *who == id.as_str());
            own.map(|(grant, _)| grant.id.to_string()).collect()
        };
        let ended = of(&self.check(&text)?);
        if ended.is_empty() {
            return Ok(0);
        }
        for grant in &ended {
            let found = section(&text, "[[grant]]", &format!("\nid = {}\n", quoted(grant)));
            let found = found.ok_or_else(|| SetupError::Change(format!("no grant is called {grant} in a line of its own")))?;
            text.replace_range(found, "");
        }
        if !of(&self.check(&text)?).is_empty() {
            return Err(SetupError::Change(format!("the grants of {id} are not written as this command writes them")));
        }
        self.publish(&text)?;
        Ok(ended.len())
    }

    /// Moves an agency to the other world.
    pub fn move_to(&self, id: &AgencyId, world: World) -> Result<(), SetupError> {
        let _lock = self.lock()?;
        let line = (world == World::Test).then(|| "test = true".to_owned());
        let is_so = |registry: &Registry, index| registry.agency(index).is_some_and(|agency| agency.world == world);
        self.put_line(id, ("test", line), is_so)
    }

    /// Signs a text with the key of the registry; the signature is in base64.
    pub fn sign_text(&self, text: &str) -> Result<String, SetupError> {
        Ok(sign_registry(text, &self.read("authority/registry.key")?)?)
    }

    /// Keeps a conformance report; gives its file.
    pub fn keep_report(&self, name: &str, text: &str) -> Result<PathBuf, SetupError> {
        self.write(&format!("conformance/{name}"), text)?;
        Ok(self.reports().join(name))
    }

    /// The folder of conformance reports.
    pub fn reports(&self) -> PathBuf {
        self.folder.join("conformance")
    }
}
