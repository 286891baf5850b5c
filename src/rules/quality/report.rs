//! What is told to one agency: how people rate what it took part in, where it is worst, how it goes, and what to look at first.
//!
//! Markdown, in English or Russian: of the same ratings the same octets, in whatever order they come. It has no day on which it was made,
//! and no comment: somebody who reads those codes their reasons. What suppression does not let through is not in it.

use super::rating::Rating;
use super::scoreboard::{Board, Row, Scoreboard, Scores};
use super::statistics::{SHOWN_MIN, Share, Shown};
use super::words::{Dimension, Language, Month, Rated};
use crate::base::ids::AgencyId;
use std::collections::BTreeMap;
use std::fmt::Write;

/// A report to one agency.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    agency: AgencyId,
    period: Option<(Month, Month)>,
    board: Board,
}

/// What agencies, situations and services are called; what has no name here is told by its code.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// The agency.
    pub agency: Option<String>,
    /// What is rated.
    pub rated: BTreeMap<Rated, String>,
}

impl Names {
    fn rated(&self, rated: &Rated) -> String {
        self.rated.get(rated).map_or_else(|| rated.code().to_string(), |name| cell(name))
    }
}

impl Report {
    /// A report of those ratings in whose cases this agency took part, of so many who were asked, if that is known.
    pub fn of<'r>(agency: &AgencyId, ratings: impl IntoIterator<Item = &'r Rating>, invited: Option<u64>) -> Self {
        let mut scoreboard = Scoreboard::new();
        let mut period: Option<(Month, Month)> = None;
        for rating in ratings.into_iter().filter(|rating| rating.about().agencies.contains(agency)) {
            let month = rating.about().month;
            period = Some(period.map_or((month, month), |(first, last)| (first.min(month), last.max(month))));
            scoreboard.add(rating);
        }
        if let Some(invited) = invited {
            scoreboard.invite_any(invited);
        }
        Self { agency: agency.clone(), period, board: scoreboard.show() }
    }

    /// What may be told of it, for programs.
    pub const fn board(&self) -> &Board {
        &self.board
    }

    /// The first and the last month of which there are ratings.
    pub const fn period(&self) -> Option<(Month, Month)> {
        self.period
    }

    /// The items with the fewest satisfied: at most three, of those that are shown.
    pub fn worst(&self) -> impl Iterator<Item = (Dimension, &Rated, &Scores)> {
        let shown = self.board.items.iter().filter_map(|((dimension, rated), shown)| Some((*dimension, rated, shown.value()?)));
        shown.take(WORST)
    }

    /// The report as Markdown.
    pub fn markdown(&self, language: Language, names: &Names) -> String {
        let page = Page { language, names, text: String::new() };
        page.write(self)
    }
}

struct Page<'n> {
    language: Language,
    names: &'n Names,
    text: String,
}

impl Page<'_> {
    fn write(mut self, report: &Report) -> String {
        let agency = self
            .names
            .agency
            .as_deref()
            .map_or_else(|| report.agency.to_string(), |name| format!("{} ({})", cell(name), report.agency));
        self.line(&format!("# {}: {agency}", self.say("Quality report", "Отчёт о качестве")));
        if let Some((first, last)) = report.period {
            let (from, to) = (self.say("Answers from", "Ответы с"), self.say("to", "по"));
            self.line(&format!("\n{from} {first} {to} {last}."));
        }
        let Some(total) = report.board.total.value() else {
            let few = self.say(
                "Fewer than 10 people have answered: nothing is shown.",
                "Ответило менее 10 человек: данные не показываются.",
            );
            self.line(&format!("\n{few}"));
            return self.text;
        };
        self.total(total);
        self.worst(report);
        self.trend(&report.board);
        self.dimensions(&report.board);
        let (what, how) = (self.say("By what was rated", "По ситуациям и услугам"), self.say("By how it ended", "По исходу"));
        let rated = report.board.rated.iter().map(|(rated, row)| (self.names.rated(rated), *row)).collect::<Vec<_>>();
        self.rows(what, &rated);
        let endings = report.board.endings.iter().map(|(ending, row)| (ending.title(self.language).to_owned(), *row));
        self.rows(how, &endings.collect::<Vec<_>>());
        self.reasons(&report.board);
        self.notes();
        self.text
    }

    fn say(&self, english: &'static str, russian: &'static str) -> &'static str {
        match self.language {
            Language::English => english,
            Language::Russian => russian,
        }
    }

    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    fn heading(&mut self, heading: &str) {
        self.line(&format!("\n## {heading}\n"));
    }

    /// A number with so many digits behind the point, or the comma.
    fn number(&self, number: f64, digits: usize) -> String {
        let text = format!("{number:.digits$}");
        match self.language {
            Language::English => text,
            Language::Russian => text.replace('.', ","),
        }
    }

    fn probability(&self, p: f64) -> String {
        let least = 0.0001;
        if p < least { format!("p < {}", self.number(least, 4)) } else { format!("p = {}", self.number(p, 4)) }
    }

    fn percent(&self, share: f64) -> String {
        format!("{} %", self.number(share * 100.0, 1))
    }

    /// `71.2 % (62.0 to 79.1 %)`.
    fn interval(&self, share: &Share) -> String {
        let (low, high) = (self.number(share.low * 100.0, 1), self.percent(share.high));
        match self.language {
            Language::English => format!("{} ({low} to {high})", self.percent(share.share())),
            Language::Russian => format!("{} (от {low} до {high})", self.percent(share.share())),
        }
    }

    fn of(&self, share: &Share) -> String {
        let of = self.say("of", "из");
        format!("{} {of} {}", share.count, share.of)
    }

    fn total(&mut self, total: &Row) {
        self.heading(self.say("In short", "Коротко"));
        let satisfied = self.say("Satisfied", "Удовлетворены");
        self.line(&format!("- {satisfied}: {}, {}", self.interval(&total.satisfied), self.of(&total.satisfied)));
        let Some(participation) = &total.participation else {
            let unknown = self.say("How many were asked is not known.", "Сколько человек получило приглашение, неизвестно.");
            return self.line(&format!("- {unknown}"));
        };
        let answered = self.say("Answered", "Ответили");
        let share = self.percent(participation.answered.share());
        self.line(&format!("- {answered}: {}, {share}", self.of(&participation.answered)));
        let (low, high) = (self.percent(participation.bounds.low), self.percent(participation.bounds.high));
        let bounds = match self.language {
            Language::English => format!("Whatever those who did not answer think: {low} to {high} satisfied"),
            Language::Russian => format!("Что бы ни думали те, кто не ответил: удовлетворены от {low} до {high}"),
        };
        self.line(&format!("- {bounds}"));
    }

    fn worst(&mut self, report: &Report) {
        self.heading(self.say("What to look at first", "На что обратить внимание в первую очередь"));
        for (place, (dimension, rated, scores)) in report.worst().enumerate() {
            let (title, satisfied) = (dimension.title(self.language), self.say("satisfied", "удовлетворены"));
            let (name, interval, of) = (self.names.rated(rated), self.interval(&scores.satisfied), self.of(&scores.satisfied));
            self.line(&format!("{}. {title}, {name}: {satisfied} {interval}, {of}", place + 1));
            self.line(&format!("   {}", recommended(dimension, self.language)));
        }
        if report.worst().next().is_none() {
            self.line(self.say("No item has ten answers.", "Ни по одному пункту нет десяти ответов."));
        }
    }

    fn trend(&mut self, board: &Board) {
        let months: Vec<_> = board.months.iter().map(|(month, row)| (month.to_string(), *row)).collect();
        self.rows(self.say("By month", "По месяцам"), &months);
        let all = board.alarms.iter().map(|alarm| {
            let (before, after, p) = (alarm.before, alarm.after, self.probability(alarm.comparison.p));
            match self.language {
                Language::English => format!("**Alarm**: the drop from {before} to {after} is not noise ({p})."),
                Language::Russian => format!("**Тревога**: снижение с {before} по {after} не случайно ({p})."),
            }
        });
        let single = board.rated_alarms.iter().map(|alarm| {
            let (name, before, after) = (self.names.rated(&alarm.rated), alarm.before, alarm.after);
            match self.language {
                Language::English => format!("**Alarm**: {name}: the drop from {before} to {after} is not noise."),
                Language::Russian => format!("**Тревога**: {name}: снижение с {before} по {after} не случайно."),
            }
        });
        let alarms: Vec<String> = all.chain(single).collect();
        if alarms.is_empty() {
            let none = self.say("No drop that could not be noise.", "Снижений, которые нельзя объяснить случайностью, нет.");
            self.line(&format!("\n{none}"));
        }
        alarms.iter().for_each(|alarm| self.line(&format!("\n{alarm}")));
    }

    fn rows(&mut self, heading: &str, rows: &[(String, Shown<Row>)]) {
        self.heading(heading);
        let satisfied = self.say("satisfied", "удовлетворены");
        let answers = self.say("answers", "ответов");
        self.line(&format!("| | {satisfied} | {answers} |\n|---|---|---|"));
        for (name, shown) in rows {
            let (share, of) = match shown.value() {
                Some(row) => (self.interval(&row.satisfied), row.satisfied.of.to_string()),
                None => (self.hidden().to_owned(), String::new()),
            };
            self.line(&format!("| {name} | {share} | {of} |"));
        }
    }

    fn hidden(&self) -> &'static str {
        self.say("not shown", "не показано")
    }

    fn dimensions(&mut self, board: &Board) {
        self.heading(self.say("By question", "По вопросам"));
        let head = self.say("| | mean | 1 | 2 | 3 | 4 | 5 | satisfied |", "| | среднее | 1 | 2 | 3 | 4 | 5 | удовлетворены |");
        self.line(&format!("{head}\n|---|---|---|---|---|---|---|---|"));
        for (dimension, shown) in &board.dimensions {
            let mut line = format!("| {} |", dimension.title(self.language));
            if let Some(scores) = shown.value() {
                // Writing into a string cannot fail.
                let _ = write!(line, " {} |", self.number(scores.mean, 2));
                let points = scores.points.map(|count| count.to_string()).join(" | ");
                let _ = write!(line, " {points} | {} |", self.interval(&scores.satisfied));
            } else {
                let _ = write!(line, " {} | | | | | | |", self.hidden());
            }
            self.line(&line);
        }
    }

    fn reasons(&mut self, board: &Board) {
        let Some(coded) = board.coded.value() else { return };
        self.heading(self.say("Reasons in comments", "Причины в комментариях"));
        let head = self.say("Comments that somebody has read and coded", "Прочитанных и размеченных комментариев");
        self.line(&format!("{head}: {coded}.\n"));
        for (reason, shown) in &board.reasons {
            let told = shown
                .value()
                .map_or(self.hidden().to_owned(), |share| format!("{}, {}", share.count, self.percent(share.share())));
            self.line(&format!("- {}: {told}", reason.title(self.language)));
        }
    }

    fn notes(&mut self) {
        let notes = match self.language {
            Language::English => format!(
                "An answer is satisfied if the mean of its points is 4 or more. In brackets: Wilson's interval, 95 %; where two overlap, nobody knows \
                 which is worse. What fewer than {SHOWN_MIN} people have answered is not shown, nor what would give it away."
            ),
            Language::Russian => format!(
                "Ответ считается удовлетворённым, если среднее его оценок не ниже 4. В скобках: интервал Уилсона, 95 %; если интервалы \
                 пересекаются, неизвестно, что хуже. Ответы менее {SHOWN_MIN} человек не показываются, как и то, что позволило бы их вычислить."
            ),
        };
        self.line(&format!("\n{notes}"));
    }
}

/// What to do where a dimension is rated badly.
const fn recommended(dimension: Dimension, language: Language) -> &'static str {
    match (dimension, language) {
        (Dimension::Process, Language::English) => {
            "Count the steps, papers and days of a case; take out papers that another agency has, and steps that decide nothing."
        }
        (Dimension::Process, Language::Russian) => {
            "Посчитайте шаги, документы и дни; уберите документы, которые есть у других ведомств, и шаги, которые ничего не решают."
        }
        (Dimension::Comfort, Language::English) => {
            "Watch five people apply, in a laboratory; mend what stops them; tell each what comes next and when."
        }
        (Dimension::Comfort, Language::Russian) => {
            "Понаблюдайте в лаборатории, как заявление подают пять человек; исправьте то, что мешает; сообщайте, что и когда будет дальше."
        }
        (Dimension::Courtesy, Language::English) => {
            "Read the comments of this item with those who speak to people; agree on how refusals and bad news are told."
        }
        (Dimension::Courtesy, Language::Russian) => {
            "Прочитайте комментарии вместе с сотрудниками, которые говорят с людьми; договоритесь, как сообщать об отказе."
        }
        (Dimension::Competence, Language::English) => {
            "Collect the questions that were not answered, and give everybody who is asked the same answers to them."
        }
        (Dimension::Competence, Language::Russian) => {
            "Соберите вопросы, оставшиеся без ответа, и дайте всем сотрудникам одинаковые ответы на них."
        }
        (Dimension::Conditions, Language::English) => {
            "Walk the way of somebody in a wheelchair and of somebody who comes after work; compare measured with declared availability."
        }
        (Dimension::Conditions, Language::Russian) => {
            "Пройдите путь человека на коляске и человека, который приходит после работы; сравните измеренную доступность с заявленной."
        }
    }
}

/// A name as a cell of a table.
fn cell(name: &str) -> String {
    name.replace('\\', "\\\\").replace('|', "\\|")
}

/// How many items are told first.
const WORST: usize = 3;

#[cfg(test)]
mod tests {
    use super::super::scoreboard::tests::ratings;
    use super::super::words::Reason;
    use super::*;

    fn agency(name: &str) -> AgencyId {
        AgencyId::parse(name).expect("a name")
    }

    /// Three months, two situations, another agency; the last month is bad.
    fn some() -> Vec<Rating> {
        let mut all = ratings("birth-of-child 2026-01 sfr state done", 100, 80);
        all.extend(ratings("birth-of-child 2026-02 sfr state done", 100, 78));
        all.extend(ratings("birth-of-child 2026-03 sfr state refused", 60, 20));
        all.extend(ratings("pension 2026-03 sfr state done", 40, 30));
        all.extend(ratings("marriage 2026-03 zags state done", 500, 0));
        let coded = ratings("pension 2026-03 sfr state done", 12, 0);
        all.extend(coded.into_iter().map(|rating| rating.coded([Reason::Waiting].into())));
        all
    }

    #[test]
    fn a_report_is_the_same_octet_for_octet() {
        let sfr = agency("xx.town.sfr");
        let (all, mut turned) = (some(), some());
        turned.reverse();
        // Another order yet: every seventh first.
        let mut mixed: Vec<Rating> = all.iter().step_by(7).cloned().collect();
        mixed.extend(all.iter().enumerate().filter(|(at, _)| at % 7 != 0).map(|(_, rating)| rating.clone()));
        for language in [Language::English, Language::Russian] {
            let written = |ratings: &[Rating]| Report::of(&sfr, ratings, Some(900)).markdown(language, &Names::default());
            assert_eq!(written(&all), written(&turned));
            assert_eq!(written(&all), written(&mixed));
        }
        let english = Report::of(&sfr, &all, Some(900)).markdown(Language::English, &Names::default());
        assert_eq!(
            english,
            include_str!("../../../tests/vectors/quality/report.en.md"),
            "made anew? see the origin in docs/quality.md"
        );
        let russian = Report::of(&sfr, &all, Some(900)).markdown(Language::Russian, &Names::default());
        assert_eq!(russian, include_str!("../../../tests/vectors/quality/report.ru.md"));
    }

    #[test]
    fn a_report_is_of_its_agency_alone_and_names_the_three_worst() {
        let all = some();
        let report = Report::of(&agency("xx.town.sfr"), &all, None);
        assert_eq!(report.board().total.value().map(|row| row.satisfied.of), Some(312));
        let worst: Vec<(&str, Share)> =
            report.worst().map(|(_, rated, scores)| (rated.code().as_str(), scores.satisfied)).collect();
        assert_eq!(worst, [("pension", Share::new(30, 52)), ("birth-of-child", Share::new(178, 260))]);
        assert_eq!(report.board().alarms.len(), 1);
        let text = report.markdown(Language::English, &Names::default());
        assert!(text.contains("How many were asked is not known.") && !text.contains("marriage"), "{text}");
    }

    #[test]
    fn of_fewer_than_ten_a_report_says_that_alone() {
        let few = ratings("birth-of-child 2026-01 sfr state done", 9, 0);
        let text = Report::of(&agency("xx.town.sfr"), &few, Some(20)).markdown(Language::English, &Names::default());
        assert_eq!(
            text,
            "# Quality report: xx.town.sfr\n\nAnswers from 2026-01 to 2026-01.\n\nFewer than 10 people have answered: nothing is shown.\n"
        );
        let none = Report::of(&agency("xx.town.none"), &few, None).markdown(Language::Russian, &Names::default());
        assert!(none.ends_with("данные не показываются.\n") && !none.contains("2026"), "{none}");
    }

    #[test]
    fn names_are_those_that_are_given() {
        let rated = some()[0].about().rated.clone();
        let names = Names { agency: Some("Social | Fund".to_owned()), rated: [(rated, "Birth of a child".to_owned())].into() };
        let text = Report::of(&agency("xx.town.sfr"), &some(), None).markdown(Language::English, &names);
        assert!(
            text.starts_with("# Quality report: Social \\| Fund (xx.town.sfr)\n") && text.contains("| Birth of a child |"),
            "{text}"
        );
    }
}
