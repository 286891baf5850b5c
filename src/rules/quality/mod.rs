//! Quality of service: what people are asked, what is kept of their answers, and what may be said of many of them; which services meet
//! the standard; which everyday issues come first; what was found out with people in laboratories; what is recommended to each agency.
//!
//! Pure: files come as texts, months as arguments. Refuses to say anything of fewer than ten answers, and to rank without intervals.
//! Follows docs/quality.md, which has the formulas and their sources.

mod file;
pub mod folder;
pub mod laboratory;
pub mod priorities;
pub mod questionnaire;
pub mod rating;
pub mod register;
pub mod report;
pub mod scoreboard;
pub mod statistics;
pub mod words;

pub use folder::{Folder, Found};
pub use questionnaire::{Answer, AnswerError, Questionnaire};
pub use rating::{About, LineError, Rating, RatingError};
pub use statistics::{Share, Shown};
pub use words::{Comment, Dimension, Ending, Language, Month, Provider, Rated, Reason, Score, Strength};
