// Chromium as a peer: it looks at the pages for people as a browser does, with axe-core for accessibility and html-validate for the markup.
//
//   browser.js walk LINK PATH...            signs in by the link, opens each path in two languages, light and dark, wide and narrow, and prints
//                                           a line of JSON for each thing that is wrong, and at the end one with how many pages were looked at.
//                                           "404:/nowhere" is a path with another status than 200, "out:/sign-in" one for whoever has not
//                                           signed in.
//   browser.js auditor LINK PERSON FOLDER MODE
//                                           finds an exchange by person and reason, opens its record and what is private beside it, and downloads
//                                           the proof; prints what it has found as JSON. MODE is "wide", "narrow" (320 px), or "plain" (320 px
//                                           without scripts).
//
// A story is a function in `stories`: it gets a page that has signed in, what has the judges look at the page as it is, and the rest of the
// arguments.
"use strict";
const { AxeBuilder } = require("@axe-core/playwright");
const { HtmlValidate, StaticConfigLoader } = require("html-validate");
const { chromium } = require("playwright-core");
const path = require("node:path");

const FLAGS = [
  "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync",
];
const TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
const LANGUAGES = ["en", "ru"];
const THEMES = ["light", "dark"];
const WIDTHS = [1280, 320];
// Octets of a page with all that it loads, as they are transferred.
const OCTETS_MAX = 100 * 1024;
// Pages that are looked at side by side.
const AT_ONCE = 3;

const RULES = {
  root: true,
  extends: ["html-validate:standard", "html-validate:document"],
  rules: {
    // The templates write what HTML allows; how they are indented is nobody's concern.
    "no-trailing-whitespace": "off",
    // A table that becomes a list on a narrow screen loses its roles by that: they stand there in words (tests/peers/browser.js sees both).
    "no-redundant-role": "off",
    // Style sheet and script come from this gateway alone.
    "require-sri": "off",
  },
};

const out = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);

async function signIn(page, link) {
  await page.goto(link);
  await page.locator("main form button[type=submit]").click();
  await page.waitForURL((url) => url.pathname === "/");
}

// Opens a page in a language as somebody who comes for the first time, and says what is wrong with it in each theme and width.
async function look(browser, state, origin, wanted, language, say) {
  const [, outside, status, target] = /^(out:)?(?:(\d{3}):)?(.*)$/.exec(wanted);
  let how = { language, theme: THEMES[0], width: WIDTHS[0] };
  const tell = (what, detail) => say({ path: wanted, ...how, what, detail });
  const context = await browser.newContext({
    storageState: outside ? undefined : state,
    viewport: { width: how.width, height: 800 },
    colorScheme: how.theme,
    locale: language === "ru" ? "ru-RU" : "en-GB",
  });
  const page = await context.newPage();
  let octets = 0;
  const measured = [];
  page.on("request", (request) => {
    const url = new URL(request.url());
    if (url.protocol !== "data:" && url.origin !== origin) tell("another origin", request.url());
  });
  page.on("requestfinished", (request) => measured.push(request.sizes().then((sizes) => {
    octets += sizes.responseBodySize + sizes.responseHeadersSize;
  }).catch(() => {})));
  page.on("pageerror", (error) => tell("script", String(error)));
  page.on("console", (message) => {
    // That a page of a refusal has the status of one is told as an error, too.
    const isStatus = status && message.location().url === origin + target;
    if (["error", "warning"].includes(message.type()) && !isStatus) tell("console", message.text());
  });
  const response = await page.goto(origin + target, { waitUntil: "load" });
  if (response.status() !== Number(status ?? 200)) tell("status", String(response.status()));
  const html = await response.text();
  const said = await page.locator("html").getAttribute("lang");
  if (said !== language) tell("language", said);
  for (const theme of THEMES) {
    for (const width of WIDTHS) {
      how = { language, theme, width };
      await page.emulateMedia({ colorScheme: theme });
      await page.setViewportSize({ width, height: 800 });
      await examine(page, tell);
    }
  }
  await Promise.all(measured);
  if (octets === 0 || octets >= OCTETS_MAX) tell("octets", String(octets));
  await context.close();
  return html;
}

async function examine(page, tell) {
  const [whole, seen] = await page.evaluate(() => [document.documentElement.scrollWidth, window.innerWidth]);
  if (whole > seen) {
    const wide = await page.evaluate(() => [...document.querySelectorAll("body *")]
      .filter((element) => element.getBoundingClientRect().right > window.innerWidth + 1 && !element.closest(".scroll, pre"))
      .slice(0, 5).map((element) => element.outerHTML.slice(0, 120)));
    tell("wider than the screen", `${whole} > ${seen}: ${wide.join(" | ")}`);
  }
  const found = await new AxeBuilder({ page }).withTags(TAGS).setLegacyMode(true).analyze();
  for (const violation of found.violations) {
    for (const node of violation.nodes.slice(0, 3)) tell(`axe ${violation.id}`, `${node.html.slice(0, 200)}: ${node.failureSummary}`);
  }
}

async function judge(validate, html, tell) {
  const report = await validate.validateString(html);
  for (const { messages } of report.results) {
    for (const { ruleId, message, line, column } of messages) {
      const near = html.split("\n")[line - 1].slice(Math.max(0, column - 40), column + 80);
      tell(`html ${ruleId}`, `${line}:${column} ${message}: ${near}`);
    }
  }
}

async function walk(link, ...paths) {
  const origin = new URL(link).origin;
  const validate = new HtmlValidate(new StaticConfigLoader(RULES));
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: FLAGS });
  try {
    const first = await browser.newContext();
    await signIn(await first.newPage(), link);
    const state = await first.storageState();
    let looked = 0;
    const jobs = paths.flatMap((wanted) => LANGUAGES.map((language) => ({ wanted, language })));
    const work = async () => {
      for (let job = jobs.shift(); job; job = jobs.shift()) {
        const html = await look(browser, state, origin, job.wanted, job.language, out);
        looked += THEMES.length * WIDTHS.length;
        await judge(validate, html, (what, detail) => out({ path: job.wanted, language: job.language, what, detail }));
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
    out({ looked });
  } finally {
    await browser.close();
  }
}

const stories = {
  async auditor(page, judged, person, folder) {
    await page.locator("#find").fill(person);
    await page.locator("form.find button[type=submit]").click();
    await page.locator("main input[name=reason]").fill("a story of the tests");
    await judged();
    await page.locator("main form button[type=submit]").click();
    await page.waitForURL((url) => url.pathname === "/log" && url.searchParams.has("ticket"));
    const row = page.locator("#t-records tbody tr").filter({ hasText: "School 17" }).filter({ hasText: "Question" }).first();
    await row.locator("a").first().click();
    await page.waitForURL(/\/log\/\d+$/);
    const before = await page.locator("main").innerText();
    const record = new URL(page.url()).pathname.split("/").pop();
    const command = await page.locator("#proof ~ figure.command code, section:has(#proof) figure.command code").first().innerText();
    const waits = page.waitForEvent("download");
    await page.locator("a[href$='/receipt']").first().click();
    const download = await waits;
    const file = path.join(folder, download.suggestedFilename());
    await download.saveAs(file);
    await page.locator("main input[name=reason]").fill("to see whom it is about");
    await page.locator("section:has(#private) form button[type=submit]").click();
    await page.waitForURL((url) => url.searchParams.has("ticket"));
    const after = await page.locator("section:has(#private)").innerText();
    await judged();
    return { record, file, command, before, after };
  },
};

async function story(name, link, ...rest) {
  const mode = rest.pop();
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: FLAGS });
  try {
    const context = await browser.newContext({
      viewport: { width: mode === "wide" ? 1280 : 320, height: 800 },
      javaScriptEnabled: mode !== "plain",
      locale: "en-GB",
    });
    const page = await context.newPage();
    page.setDefaultTimeout(30_000);
    await signIn(page, link);
    const wrong = [];
    const tell = (what, detail) => wrong.push({ url: page.url(), what, detail });
    // axe-core is a script of the page, and waits for ever where there are none.
    const told = await stories[name](page, mode === "plain" ? async () => {} : () => examine(page, tell), ...rest);
    out({ ...told, wrong });
  } finally {
    await browser.close();
  }
}

const [command, ...rest] = process.argv.slice(2);
(command === "walk" ? walk(...rest) : story(command, ...rest)).catch((error) => {
  process.stderr.write(`${error.stack}\n`);
  process.exitCode = 1;
});
