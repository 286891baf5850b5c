//! 1,000 people in 250 families: a pupil, mother, father and a newborn each, always the same.

use crate::base::ids::Identifier;
use crate::base::time::Day;
use crate::message::envelope::{self, Described, Personal, Subject};

/// A person who does not exist.
#[derive(Clone, Debug)]
pub struct Person {
    /// The number, from 0.
    pub number: u32,
    /// The place in the family.
    pub role: Role,
    /// The identifier.
    pub identifier: Identifier,
    /// Family name.
    pub family: String,
    /// Given name.
    pub given: &'static str,
    /// `female` or `male`.
    pub sex: &'static str,
    /// Date of birth.
    pub born: Day,
}

/// A place in a family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// The mother.
    Mother,
    /// The father.
    Father,
    /// The elder child, a pupil.
    Pupil,
    /// The younger child, just born.
    Newborn,
}

/// The number of the first family's business.
pub(super) const BUSINESS_FROM: u32 = 9500;

const FAMILIES: [&str; 10] =
    ["Иванов", "Петров", "Кузнецов", "Соколов", "Попов", "Лебедев", "Козлов", "Новиков", "Морозов", "Волков"];
const WOMEN: [&str; 8] = ["Анна", "Мария", "Елена", "Ольга", "Наталья", "Вера", "Дарья", "Зоя"];
const MEN: [&str; 8] = ["Иван", "Сергей", "Олег", "Павел", "Илья", "Лев", "Юрий", "Антон"];

impl Person {
    /// The subject of a request about this person.
    pub fn subject(&self) -> Subject {
        Subject {
            identifiers: vec![self.identifier.clone()],
            described: Described::Person(envelope::Person {
                family: Some(Personal::new(self.family.as_str())),
                given: Some(Personal::new(self.given)),
                birth_date: Some(Personal::new(self.born.to_string())),
            }),
        }
    }

    /// The subject of a request about the business that this person's family has.
    pub fn business(&self) -> Subject {
        let identifiers = vec![Identifier::synthetic(BUSINESS_FROM + self.household())];
        Subject { identifiers, described: Described::Organisation(None) }
    }

    /// The family's number.
    pub fn household(&self) -> u32 {
        self.number / 4
    }
}

/// All people.
pub fn people() -> Vec<Person> {
    (0..1000).map(person).collect()
}

fn person(number: u32) -> Person {
    let household = number / 4;
    let pick = |from: &[&'static str], salt: u32| from[(household.wrapping_mul(7).wrapping_add(salt) as usize) % from.len()];
    let (role, is_woman, years_ago, salt) = match number % 4 {
        0 => (Role::Pupil, household.is_multiple_of(2), 8 + household % 9, 2),
        1 => (Role::Mother, true, 28 + household % 12, 0),
        2 => (Role::Father, false, 29 + household % 14, 1),
        _ => (Role::Newborn, household % 2 == 1, 0, 3),
    };
    let base = pick(&FAMILIES, household / 10);
    // Day 20,500 is in 2026; a newborn is a few weeks old on it.
    let born = Day::from_days(20_500 - i64::from(years_ago) * 365 - i64::from(household % 28) - 14);
    Person {
        number,
        role,
        identifier: Identifier::synthetic(number + 1),
        family: if is_woman { format!("{base}а") } else { base.to_owned() },
        given: pick(if is_woman { &WOMEN } else { &MEN }, salt),
        sex: if is_woman { "female" } else { "male" },
        born,
    }
}
