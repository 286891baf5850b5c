// Pictures of the console's pages, for the documentation: node screens.mjs FOLDER NAME=ADDRESS…
// An address that signs in is used first; those behind it are opened by whoever was signed in.
import { chromium } from "playwright-core";

const [folder, ...shots] = process.argv.slice(2);
const flags = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];
const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: flags });
let context = await browser.newContext();
for (const shot of shots) {
  const at = shot.indexOf("=");
  const [name, address] = [shot.slice(0, at), shot.slice(at + 1)];
  if (name === "sign-in") {
    context = await browser.newContext();
    const page = await context.newPage();
    await page.goto(address);
    await page.click("main button");
    await page.close();
    continue;
  }
  const is = (word) => name.split("-").includes(word);
  const page = await context.newPage();
  await page.setViewportSize(is("narrow") ? { width: 320, height: 720 } : { width: 1280, height: 860 });
  await page.emulateMedia({ colorScheme: is("dark") ? "dark" : "light" });
  await page.setExtraHTTPHeaders({ "accept-language": is("russian") ? "ru" : "en" });
  await page.goto(address);
  await page.screenshot({ path: `${folder}/${name}.png` });
  await page.close();
}
await browser.close();
