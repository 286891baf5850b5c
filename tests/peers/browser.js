// Chromium as a peer: it looks at the pages for people as a browser does, with axe-core for accessibility and html-validate for the markup.
//
//   browser.js walk LINK PATH...            signs in by the link, opens each path in two languages, light and dark, wide and narrow, and prints
//                                           a line of JSON for each thing that is wrong, and at the end one with how many pages were looked at.
//                                           "404:/nowhere" is a path with another status than 200, "out:/sign-in" one for whoever has not
//                                           signed in.
//   browser.js STORY ARGUMENT... MODE       does what somebody does at the pages, and prints what they have seen as a line of JSON. MODE is
//                                           "wide", "narrow" (320 px), or "plain" (320 px without scripts).
//   browser.js auditor LINK PERSON FOLDER   finds an exchange by person and reason, opens its record and what is private beside it, and downloads
//                                           the proof.
//   browser.js curator LINK TEXT            finds what holds cases up, opens a case that waits for it, and reminds the agency.
//   browser.js desk LINK PERSON MAIL        applies for somebody, answers the short form, follows the case, and makes the link to hand over.
//   browser.js citizen LINK TEXT AUDITOR ANSWER
//                                           looks at their case by LINK and at who looked at their data, complains about one of them, and is
//                                           answered by an auditor, who signs in by AUDITOR.
//   browser.js survey LINK TEXT             says how it was, and tries to do so again.
//
// A story is a function in `stories`: it gets a page, what helps to look at it, and the rest of the arguments.
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
// Widths at which a page has to fit as well.
const BETWEEN = [1024, 800];
// Octets of a page with all that it loads, as they are transferred.
const OCTETS_MAX = 100 * 1024;
// Whether axe looks at each page in each language, theme and width, or in half of these.
const WHOLE = Boolean(process.env.WALK_WHOLE);
// Pages that are looked at side by side.
const AT_ONCE = 3;
// How long anything may take on a busy machine, and how long a page without scripts is looked at before it is opened again.
const LONG_MS = 90_000;
const AGAIN_MS = 500;
// What is of no use on paper.
const NOT_PRINTED = [".top nav", ".top .find", ".top .who", ".above", "main form"];

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
  page.setDefaultTimeout(LONG_MS);
  // What changes while it is looked at is judged as it came.
  await page.route("**/live", (route) => route.fulfill({ contentType: "text/event-stream", body: "retry: 3600000\n\n" }));
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
      await fits(page, tell);
      if (WHOLE || isOfHalf(language, theme, width)) await examine(page, tell);
    }
  }
  for (const width of BETWEEN) {
    how = { language, theme: THEMES.at(-1), width };
    await page.setViewportSize({ width, height: 800 });
    await fits(page, tell);
  }
  await Promise.all(measured);
  if (octets === 0 || octets >= OCTETS_MAX) tell("octets", String(octets));
  await context.close();
  return html;
}

// Of language, theme and width each pair is in two of these four, and each of the three in both of its forms; axe takes seconds for each.
function isOfHalf(language, theme, width) {
  const number = LANGUAGES.indexOf(language) + THEMES.indexOf(theme) + WIDTHS.indexOf(width);
  return number % 2 === 0;
}

async function examine(page, tell) {
  const found = await new AxeBuilder({ page }).withTags(TAGS).setLegacyMode(true).analyze();
  for (const violation of found.violations) {
    for (const node of violation.nodes.slice(0, 3)) tell(`axe ${violation.id}`, `${node.html.slice(0, 200)}: ${node.failureSummary}`);
  }
}

async function fits(page, tell) {
  const [whole, seen] = await page.evaluate(() => [document.documentElement.scrollWidth, window.innerWidth]);
  if (whole > seen) {
    const wide = await page.evaluate(() => [...document.querySelectorAll("body *")]
      .filter((element) => element.getBoundingClientRect().right > window.innerWidth + 1 && !element.closest(".scroll, pre"))
      .slice(0, 5).map((element) => element.outerHTML.slice(0, 120)));
    tell("wider than the screen", `${whole} > ${seen}: ${wide.join(" | ")}`);
  }
  for (const text of await page.evaluate(outOfDrawings)) tell("out of its drawing", text);
}

// Texts of drawings that go beyond the box before them, the drawing itself, or the bar that begins behind them. It runs in the page.
function outOfDrawings() {
  const isOut = (text) => {
    const [own, whole] = [text.getBoundingClientRect(), text.ownerSVGElement.getBoundingClientRect()];
    if (own.width === 0) return false;
    const kind = text.getAttribute("class");
    const rects = [...text.ownerSVGElement.querySelectorAll("rect")];
    const bound = kind.startsWith("node") ? rects.filter((rect) => rect.compareDocumentPosition(text) & 4).pop().getBoundingClientRect() : whole;
    const isOnBar = kind === "lane" && rects.some((rect) => {
      const bar = rect.getBoundingClientRect();
      return bar.top < own.bottom && bar.bottom > own.top && bar.left < own.right;
    });
    return own.right > bound.right + 1 || own.left < bound.left - 1 || isOnBar;
  };
  return [...document.querySelectorAll("svg text")].filter(isOut).map((text) => `${text.getAttribute("class")}: ${text.textContent}`);
}

// Looks at a page as it is on paper; gives what is not there.
async function printed(page, tell) {
  const shown = async () => {
    const seen = await Promise.all(NOT_PRINTED.map((what) => page.locator(what).first().isVisible()));
    return NOT_PRINTED.filter((_, number) => seen[number]);
  };
  const before = await shown();
  await page.emulateMedia({ media: "print" });
  await fits(page, tell);
  const after = await shown();
  for (const what of after) tell("printed", what);
  await page.emulateMedia({ media: null });
  return before.filter((what) => !after.includes(what));
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
  async auditor(page, { judged }, link, person, folder) {
    await signIn(page, link);
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
    await page.locator("section:has(#private) input[name=reason]").fill("to see whom it is about");
    await page.locator("section:has(#private) form button[type=submit]").click();
    await page.waitForURL((url) => url.searchParams.has("ticket"));
    const after = await page.locator("section:has(#private)").innerText();
    await judged();
    return { record, file, command, before, after };
  },

  async curator(page, { judged, comes }, link, text) {
    await signIn(page, link);
    await page.locator(".top nav a[href='/cases']").click();
    // Where most are late stands first.
    const held = page.locator("#t-hold-ups tbody tr").first();
    await comes(held.locator("td.number.bad"));
    const step = held.locator("a").first();
    const title = await step.innerText();
    await judged();
    await step.click();
    await page.waitForURL((url) => url.pathname === "/cases" && url.searchParams.has("agency"));
    await page.locator("#t-cases tbody tr").filter({ has: page.locator(".badge.bad") }).first().locator("a").first().click();
    await page.waitForURL(/\/cases\/[0-9a-f-]{36}$/);
    const opened = new URL(page.url()).pathname;
    const remind = page.locator("form[action$='/remind']");
    await remind.locator("select").selectOption({ label: title });
    await remind.locator("textarea").fill(text);
    await judged();
    await remind.locator("button").click();
    const note = page.locator("section:has(#notes) li").filter({ hasText: text });
    await note.waitFor();
    const record = await note.locator("a").first().getAttribute("href");
    const late = await page.locator("#t-steps tbody tr").filter({ hasText: title }).locator(".badge.bad").count();
    await judged();
    return { title, late, opened, record, note: await note.innerText() };
  },

  async desk(page, { judged, comes, printed }, link, person, mail) {
    await signIn(page, link);
    await page.locator(".top nav a[href='/desk']").click();
    const form = page.locator("form[action='/desk']");
    await form.locator("[name=situation]").selectOption("birth-of-child");
    await form.locator("[name=person]").fill(person);
    await form.locator("[name=mail]").fill(mail);
    await judged();
    await form.locator("button").click();
    await page.waitForURL(/\/cases\/[0-9a-f-]{36}$/);
    const opened = new URL(page.url()).pathname;
    const answers = page.locator("form[action$='/answers']");
    await comes(answers);
    const questions = await answers.locator("fieldset").count();
    for (let number = 0; number < questions; number += 1) await answers.locator("fieldset").nth(number).locator("[value=true]").check();
    await judged();
    await answers.locator("button").click();
    // What it was asked for follows by itself.
    const follows = page.locator("#t-steps tbody tr").filter({ hasText: "kindergarten" });
    await comes(follows.locator(".badge.good"));
    const steps = await page.locator("#t-steps .badge.good").count();
    const still = await answers.count();
    await judged();
    await page.locator("form[action$='/link'] button").click();
    const shown = page.locator("figure.command code");
    const personal = await shown.innerText();
    await judged();
    const unprinted = await printed();
    await page.goto(personal);
    const title = await page.locator("body.personal h1").innerText();
    await judged();
    return { opened, questions, steps, still, personal, unprinted, title };
  },

  async citizen(page, { judged, printed }, link, text, auditor, answer) {
    await page.goto(link);
    const next = await page.locator("main .lead").innerText();
    const row = page.locator("#t-machines tbody tr").first();
    const [institution, what, why] = await row.locator("td").allInnerTexts();
    const time = await row.locator("time").getAttribute("datetime");
    await judged();
    await printed();
    await row.locator("a[href*='/complain/']").click();
    await page.locator("main textarea").fill(text);
    await judged();
    await page.locator("main form button").click();
    await page.waitForURL(/#complaints$/);
    const mine = page.locator("section:has(#complaints) li").filter({ hasText: text });
    const complained = await mine.innerText();
    await judged();
    await signIn(page, auditor);
    await page.locator(".top nav a[href='/complaints']").click();
    const theirs = page.locator("section").filter({ hasText: text });
    const about = await theirs.locator("a[href^='/log/']").getAttribute("href");
    await theirs.locator("textarea").fill(answer);
    await judged();
    await theirs.locator("button").click();
    await theirs.filter({ hasText: answer }).waitFor();
    await page.goto(link);
    const answered = await mine.innerText();
    await judged();
    return { next, institution, what, why, time, complained, about, answered };
  },

  async survey(page, { judged }, link, text) {
    await page.goto(link);
    await judged();
    const send = page.locator("main form button");
    // Nothing said is no answer, and the link is still good.
    const [empty] = await Promise.all([page.waitForResponse((response) => response.request().method() === "POST"), send.click()]);
    const wrong = await page.locator(".note.bad").innerText();
    await judged();
    const scales = page.locator("fieldset.scale");
    for (let number = 0; number < await scales.count(); number += 1) await scales.nth(number).locator("[value='5']").check();
    await page.locator("main textarea").fill(text);
    await judged();
    await send.click();
    await page.locator("main form").waitFor({ state: "detached" });
    const thanks = await page.locator("main").innerText();
    await judged();
    const again = await page.goto(link);
    const used = await page.locator("main").innerText();
    await judged();
    return { empty: empty.status(), wrong, thanks, again: again.status(), used };
  },
};

async function story(name, ...rest) {
  const mode = rest.pop();
  const validate = new HtmlValidate(new StaticConfigLoader(RULES));
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: FLAGS });
  try {
    const context = await browser.newContext({
      viewport: { width: mode === "wide" ? 1280 : 320, height: 800 },
      javaScriptEnabled: mode !== "plain",
      locale: "en-GB",
    });
    const page = await context.newPage();
    page.setDefaultTimeout(LONG_MS);
    const wrong = [];
    const tell = (what, detail) => wrong.push({ url: page.url(), what, detail });
    let document;
    page.on("response", (response) => {
      const isPage = response.request().isNavigationRequest() && (response.headers()["content-type"] ?? "").startsWith("text/html");
      if (isPage) document = response;
    });
    page.on("pageerror", (error) => tell("script", String(error)));
    const tools = {
      printed: () => printed(page, tell),
      judged: async () => {
        await judge(validate, await document.text(), tell);
        // axe-core is a script of the page, and waits for ever where there are none.
        await (mode === "plain" ? fits(page, tell) : settled(page, async () => { await fits(page, tell); await examine(page, tell); }));
      },
      // Waits for what comes by itself: where there are scripts the page shows it, and else it is opened again.
      comes: async (wanted) => {
        if (mode !== "plain") return wanted.first().waitFor();
        const end = Date.now() + LONG_MS;
        while (Date.now() < end) {
          const is = await wanted.first().waitFor({ timeout: AGAIN_MS }).then(() => true, () => false);
          if (is) return undefined;
          await page.reload();
        }
        throw new Error(`it does not come: ${wanted}`);
      },
    };
    const told = await stories[name](page, tools, ...rest);
    out({ ...told, wrong });
  } finally {
    await browser.close();
  }
}

// Looks at a page while it does not change: where somebody stands in it, it stays as it is.
async function settled(page, look) {
  const stands = page.locator("main a, main button, main input, main summary").first();
  const canStand = await stands.count() > 0;
  if (canStand) await stands.focus();
  await look();
  if (canStand) await stands.blur();
}

const [command, ...rest] = process.argv.slice(2);
(command === "walk" ? walk(...rest) : story(command, ...rest)).catch((error) => {
  process.stderr.write(`${error.stack}\n`);
  process.exitCode = 1;
});
