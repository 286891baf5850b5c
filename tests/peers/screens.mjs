// Pictures of the console's pages, for the documentation: node screens.mjs FOLDER INSTANT KEY=VALUE…
// KEY=VALUE are links that sign somebody in, by the name of the seat (operator, auditor, curator, desk, inspector), the family's personal link
// (my) and survey (survey), a case (case) and a person (person); what there is no link for is left out. Each seat has a browser of its own.
// Words behind the full stops of a name say how it is looked at: dark, russian, narrow (320 px), paper.
// With STYLE=FILE pages have that style sheet, with ONLY=NAME,… those pictures alone are taken.
import { chromium } from "playwright-core";

const [folder, instant, ...given] = process.argv.slice(2);
const at = Object.fromEntries(given.map((pair) => [pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1)]));
const site = new URL(at.operator ?? at.curator).origin;
const flags = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update",
  "--disable-sync", "--font-render-hinting=none"];

const WIDE = { width: 1280, height: 860 };
const NARROW = { width: 320, height: 720 };
// A4 at 96 dots an inch.
const PAPER = { width: 794, height: 1123 };
// Higher than this no picture is: it ends below a row.
const HIGH = 1240;

const birth = `${site}/situations/birth-of-child`;
const known = "f.child.live_birth=true&f.mother.married=true&f.mother.employed=true&f.father.employed=true&f.mother.citizen=true";
const question = (purpose, basis) => `${site}/explain?agency=xx.demo.school-17&document=medical-absence-note&purpose=${purpose}&basis=${basis}`;
const day = instant.slice(0, 10);

async function find(page, person) {
  await page.fill("#find", person);
  await page.click("form.find button");
  await page.waitForSelector("main input[name=reason]");
}

async function complain(page) {
  await page.click("a[href*='/complain/']");
  await page.fill("textarea", "I do not know this office. Why did it ask about my child?");
}

async function apply(page) {
  await page.selectOption("select[name=situation]", "school-place");
  await page.fill("input[name=person]", at.person);
  await page.fill("input[name=mail]", "parent@town.example");
}

// Who looks, and what at: each a name, an address, what is done there first, and the part of the page that the picture begins with.
const LOOKS = [
  ["curator", [
    ["cases", `${site}/cases`], ["cases.dark", `${site}/cases`], ["cases.narrow", `${site}/cases`],
    ["case", `${site}/cases`, async (page) => page.click("#t-cases tbody tr a")],
    ["case.narrow", `${site}/cases`, async (page) => page.click("#t-cases tbody tr a")],
    ["case.russian", `${site}/cases`, async (page) => page.click("#t-cases tbody tr a")],
    ["case-documents", `${site}/cases/${at.case}`, null, "c-documents"],
    ["case-done", `${site}/cases/${at.case}`],
    ["situations", `${site}/situations`], ["situations.russian", `${site}/situations`],
    ["situation", birth], ["situation.dark", birth], ["situation.narrow", birth],
    ["overlay", `${birth}?region=RU-YAR`], ["overlay.russian", `${birth}?region=RU-YAR`],
    ["try-it", `${birth}?${known}`, null, "try"], ["tried", `${birth}?${known}`],
    ["people", `${birth}?people=500`, null, "people"],
    ["quality", `${site}/quality`], ["quality.russian", `${site}/quality`], ["quality-said", `${site}/quality`, null, "said"],
    ["quality-agency", `${site}/quality`, async (page) => page.click("#t-agencies tbody tr a")],
  ]],
  ["desk", [
    ["desk", `${site}/desk`, apply], ["desk.narrow", `${site}/desk`],
    ["desk-case", `${site}/desk`, async (page) => {
      await apply(page);
      await page.click("section:has(#apply) button");
      await page.waitForURL(/cases\/[0-9a-f-]{36}/);
      await page.waitForTimeout(3000);
      await page.reload();
      at.desk_case = page.url();
    }],
    ["desk-link", `${site}/cases`, async (page) => {
      await page.goto(at.desk_case);
      await page.click("form[action$='/link'] button");
      at.open = (await page.locator("pre code").innerText()).trim();
    }],
  ]],
  ["family", [
    ["citizen", () => at.open], ["citizen.narrow", () => at.open], ["citizen.dark", () => at.open],
    ["citizen-done", at.my], ["citizen-done.russian", at.my], ["citizen-looked", at.my, null, "looked"], ["citizen.paper", at.my],
    ["complain", at.my, complain],
    ["complained", at.my, async (page) => {
      await complain(page);
      await page.click("main form button");
      await page.waitForSelector("#complaints");
    }, "complaints"],
    ["survey", at.survey], ["survey.narrow.russian", at.survey],
    ["survey-thanks", at.survey, async (page) => {
      for (const scale of await page.locator("fieldset.scale").all()) await scale.locator("input").nth(4).check();
      await page.fill("textarea", "Nobody asked us for a paper.");
      await Promise.all([page.waitForNavigation(), page.click("main form button")]);
    }],
    ["survey-used", at.survey],
  ]],
  ["inspector", [
    ["complaints", `${site}/complaints`], ["complaints.russian", `${site}/complaints`],
  ]],
  ["nobody", [
    ["sign-in", `${site}/sign-in`], ["sign-in-link", at.operator],
  ]],
  ["operator", [
    ["overview", `${site}/`], ["overview.narrow", `${site}/`], ["overview.russian", `${site}/`],
    ["agencies", `${site}/agencies`], ["agency", `${site}/agencies/xx.demo.school-17`],
    ["security", `${site}/security`], ["security.dark", `${site}/security`],
    ["queue", `${site}/queue`], ["state", `${site}/state`],
    ["documents", `${site}/documents`], ["document", `${site}/documents/medical-absence-note`], ["document.narrow", `${site}/documents/medical-absence-note`],
    ["explain", question("birth-allowance", "XX:FAMILY:81")], ["explain-permitted.russian", question("school-attendance", "XX:HEALTH:13")],
    ["help", `${site}/help`], ["code", `${site}/help/OG-SIG-003`], ["about", `${site}/about`],
    ["not-found", `${site}/nowhere`], ["link-used", at.operator],
  ]],
  ["auditor", [
    ["log", `${site}/log?from=${day}`], ["log.narrow", `${site}/log?from=${day}`], ["log-empty", `${site}/log?purpose=nothing`],
    ["entry", `${site}/log/5`], ["entry.dark.russian", `${site}/log/5`], ["entry.narrow", `${site}/log/5`],
    ["person", `${site}/about`, async (page) => find(page, at.person)],
    ["person-found", `${site}/about`, async (page) => {
      await find(page, at.person);
      await page.fill("main input[name=reason]", "complaint 17-22");
      await page.click("main form button");
      await page.waitForURL(/ticket=/);
    }],
  ]],
];

async function picture(browser, state, [name, address, act, from]) {
  const is = (how) => name.split(".").includes(how);
  const size = is("narrow") ? NARROW : is("paper") ? PAPER : WIDE;
  const context = await browser.newContext({
    storageState: state, viewport: size, colorScheme: is("dark") ? "dark" : "light", locale: is("russian") ? "ru-RU" : "en-GB",
  });
  const page = await context.newPage();
  page.setDefaultTimeout(15_000);
  await page.clock.setFixedTime(new Date(instant));
  // A page that changes while it is looked at is asked for once.
  await page.route("**/live", (route) => route.abort());
  if (process.env.STYLE) await page.route("**/assets/*.css", (route) => route.fulfill({ path: process.env.STYLE, contentType: "text/css" }));
  await page.emulateMedia({ media: is("paper") ? "print" : "screen" });
  await page.goto(typeof address === "function" ? address() : address);
  if (act) await act(page);
  await page.waitForLoadState("load");
  await page.evaluate(() => document.activeElement?.blur());
  const top = from ? await page.evaluate((id) => document.getElementById(id).getBoundingClientRect().top + scrollY - 24, from) : 0;
  const height = await page.evaluate(([top, high]) => {
    const whole = document.body.getBoundingClientRect().height;
    if (whole <= top + high) return whole - top;
    const ends = [...document.querySelectorAll("main > *, main tbody tr, main section > *, main li, main .facts > div, main fieldset, main form")]
      .map((element) => element.getBoundingClientRect().bottom + scrollY).filter((bottom) => bottom <= top + high - 12);
    return Math.max(...ends) + 12 - top;
  }, [top, HIGH]);
  await page.screenshot({ path: `${folder}/${name.replaceAll(".", "-")}.png`, fullPage: true,
    clip: { x: 0, y: Math.floor(top), width: size.width, height: Math.ceil(height) } });
  await context.close();
}

const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: flags });
const wanted = process.env.ONLY?.split(",");
const has = { family: at.my, nobody: at.operator };
for (const [seat, looks] of LOOKS) {
  if (!(at[seat] ?? has[seat])) continue;
  const context = await browser.newContext();
  if (at[seat]) {
    const page = await context.newPage();
    await page.goto(at[seat]);
    await page.click("main button");
  }
  const state = await context.storageState();
  for (const look of looks) {
    if (wanted && !wanted.includes(look[0])) continue;
    await picture(browser, state, look).catch((error) => {
      process.exitCode = 1;
      console.error(`screens.mjs: ${look[0]}: ${error}`);
    });
  }
  await context.close();
}
await browser.close();
