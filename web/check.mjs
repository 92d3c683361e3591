// Opens a report in headless Chromium as a desk and as a phone (390 x 844), light and dark, and walks
// it with the Tab key:
//
//   node web/check.mjs REPORT.html [FOLDER]
//
// Prints one JSON object: console errors, requests to a network, how far the page is wider than the
// window, texts that their drawing cuts off, controls that Tab does not reach or that show no focus, the least contrast of text to its
// ground, and drawings without a name. With FOLDER, screenshots go there: the page as a whole for
// each window and scheme.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

const [report, folder] = process.argv.slice(2);
if (!report) {
  console.error("usage: node web/check.mjs REPORT.html [FOLDER]");
  process.exit(2);
}
const profile = mkdtempSync(join(tmpdir(), "narrows-page-"));
const browser = spawn("chromium", ["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
  "--remote-debugging-pipe", `--user-data-dir=${profile}`], { stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"] });
const ended = new Promise((done) => browser.on("exit", done));
const waiting = new Map(), listeners = [];
let last = 0, rest = "";
browser.stdio[4].on("data", (data) => {
  rest += data;
  for (let end = rest.indexOf("\0"); end >= 0; end = rest.indexOf("\0")) {
    const message = JSON.parse(rest.slice(0, end));
    rest = rest.slice(end + 1);
    if (message.id) {
      const { done, fail } = waiting.get(message.id);
      waiting.delete(message.id);
      message.error ? fail(new Error(message.error.message)) : done(message.result);
    } else {
      for (const listen of listeners) listen(message);
    }
  }
});
const send = (method, params = {}, sessionId = undefined) => new Promise((done, fail) => {
  waiting.set(++last, { done, fail });
  browser.stdio[3].write(JSON.stringify({ id: last, method, params, sessionId }) + "\0");
});
const pause = (ms) => new Promise((done) => setTimeout(done, ms));

// In the page: what a person would stumble over.
const look = () => {
  const visible = (element) => element.getClientRects().length > 0 && getComputedStyle(element).visibility === "visible";
  const parts = (color) => (color.match(/[\d.]+/g) || []).map(Number);
  const solid = (color) => { const p = parts(color); return p.length === 3 || p[3] === 1; };
  const ground = (element) => {
    for (let e = element; e; e = e.parentElement) if (solid(getComputedStyle(e).backgroundColor) && parts(getComputedStyle(e).backgroundColor).length >= 3) return getComputedStyle(e).backgroundColor;
    return matchMedia("(prefers-color-scheme: dark)").matches ? "rgb(0,0,0)" : "rgb(255,255,255)";
  };
  // Relative luminance and contrast ratio: Web Content Accessibility Guidelines 2.1.
  const luminance = (color) => {
    const [r, g, b] = parts(color).slice(0, 3).map((v) => v / 255).map((v) => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const contrast = (a, b) => { const [x, y] = [luminance(a), luminance(b)].sort((p, q) => q - p); return (x + 0.05) / (y + 0.05); };
  let least = { ratio: 21, text: "" };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const element = node.parentElement, style = getComputedStyle(element);
    if (!node.data.trim() || !visible(element) || element.closest("script, style, title, option")) continue;
    // Numbers on coloured bars stand on no ground of the page.
    if (element.closest(".mark-text.role-mark")) continue;
    const color = element.closest("svg") ? style.fill : style.color;
    if (!/^rgb/.test(color)) continue;
    const ratio = contrast(color, ground(element));
    if (ratio < least.ratio) least = { ratio, text: node.data.trim().slice(0, 60) };
  }
  const wide = document.scrollingElement.scrollWidth - document.documentElement.clientWidth;
  const over = wide > 0 ? [...document.body.querySelectorAll("*")].filter((e) => e.getBoundingClientRect().right > document.documentElement.clientWidth + 0.5 && !e.closest(".scroll, .plot")).map((e) => e.tagName + "#" + e.id) : [];
  const controls = [...document.querySelectorAll("select, button, input, summary, a[href]")].filter(visible);
  controls.forEach((control, i) => { control.dataset.control = i; });
  // What is written beyond the edge of its drawing is not seen.
  const clipped = [...document.querySelectorAll("svg.marks")].flatMap((drawing) => {
    const edge = drawing.getBoundingClientRect();
    return [...drawing.querySelectorAll("text")].filter((text) => visible(text) && text.textContent && (text.getBoundingClientRect().right > edge.right + 1 || text.getBoundingClientRect().left < edge.left - 1)).map((text) => text.textContent);
  });
  return { clipped, drawn: document.body.dataset.drawn, overflow_px: Math.max(0, wide), overflowing: over.slice(0, 5), controls: controls.length, contrast: least,
    unnamed: [...document.querySelectorAll("svg")].filter((e) => visible(e) && !e.closest("svg svg") && ![e, ...(e.closest("[aria-label]") ? [e.closest("[aria-label]")] : [])].some((named) => named.getAttribute("aria-label") && named.getAttribute("aria-label") !== "Vega visualization")).length,
    unlabelled: controls.filter((e) => !(e.labels && e.labels.length) && !e.textContent.trim() && !e.getAttribute("aria-label")).length };
};
const focus = () => {
  const e = document.activeElement, style = getComputedStyle(e), box = e.getBoundingClientRect();
  return { control: e.dataset.control, tag: e.tagName, id: e.id, body: e === document.body,
    ring: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0, seen: box.bottom > 0 && box.top < innerHeight };
};

async function open(window) {
  const { targetId } = await send("Target.createTarget", { url: "about:blank" });
  const { sessionId } = await send("Target.attachToTarget", { targetId, flatten: true });
  const page = (method, params) => send(method, params, sessionId);
  const run = async (code, ...values) => {
    const { result, exceptionDetails } = await page("Runtime.evaluate", { expression: `(${code})(${values.map((v) => JSON.stringify(v)).join(",")})`, returnByValue: true, awaitPromise: true });
    if (exceptionDetails) throw new Error(exceptionDetails.exception?.description || exceptionDetails.text);
    return result.value;
  };
  const found = { window: window.name, console_errors: [], requests: [] };
  listeners.push((message) => {
    if (message.sessionId !== sessionId) return;
    const { method, params } = message;
    if (method === "Runtime.exceptionThrown") found.console_errors.push(params.exceptionDetails.text);
    if (method === "Runtime.consoleAPICalled" && params.type === "error") found.console_errors.push(String(params.args[0]?.value || params.args[0]?.description));
    if (method === "Log.entryAdded" && params.entry.level === "error") found.console_errors.push(params.entry.text);
    if (method === "Network.requestWillBeSent" && !/^(file|data|about|blob):/.test(params.request.url)) found.requests.push(params.request.url);
  });
  for (const domain of ["Page", "Runtime", "Log", "Network"]) await page(domain + ".enable");
  await page("Emulation.setDeviceMetricsOverride", { width: window.width, height: window.height, deviceScaleFactor: 1, mobile: window.mobile });
  await page("Emulation.setEmulatedMedia", { features: [{ name: "prefers-color-scheme", value: window.scheme }] });
  await page("Page.navigate", { url: "file://" + resolve(report) });
  for (let i = 0; i < 300 && !(await run(() => document.body?.dataset.drawn)); ++i) await pause(100);
  Object.assign(found, await run(look));
  // The keyboard alone, from the top of the page to its end.
  const reached = new Map();
  for (let i = 0; i < 400; ++i) {
    await page("Input.dispatchKeyEvent", { type: "keyDown", key: "Tab", code: "Tab", windowsVirtualKeyCode: 9 });
    await page("Input.dispatchKeyEvent", { type: "keyUp", key: "Tab", code: "Tab", windowsVirtualKeyCode: 9 });
    const now = await run(focus);
    if (now.body || (now.control !== undefined && reached.has(now.control))) break;
    if (now.control !== undefined) reached.set(now.control, now);
    if (!now.ring || !now.seen) (found.unseen_focus ??= []).push(now.tag + "#" + now.id);
  }
  found.unreached = found.controls - reached.size;
  found.in_order = [...reached.keys()].every((key, i, keys) => i === 0 || Number(key) > Number(keys[i - 1]));
  // Choosing with the keyboard leaves the focus where it was.
  found.lost_focus = await run(() => {
    const lost = [];
    for (const button of document.querySelectorAll("th button")) {
      const text = button.textContent.replace(/ .$/, "");
      button.focus();
      button.click();
      if (!document.activeElement.textContent.startsWith(text)) lost.push(text);
    }
    return lost.length;
  });
  if (folder) {
    await run(() => {
      for (const region of document.querySelectorAll(".scroll")) region.scrollLeft = 0; document.activeElement.blur(); scrollTo(0, 0); });
    const { cssContentSize } = await page("Page.getLayoutMetrics");
    const { data } = await page("Page.captureScreenshot", { captureBeyondViewport: true, clip: { x: 0, y: 0, width: window.width, height: cssContentSize.height, scale: 1 } });
    writeFileSync(join(folder, window.name + ".png"), Buffer.from(data, "base64"));
  }
  await send("Target.closeTarget", { targetId });
  return found;
}

const windows = [];
for (const scheme of ["light", "dark"]) {
  windows.push({ name: "desk-" + scheme, width: 1200, height: 900, mobile: false, scheme });
  windows.push({ name: "phone-" + scheme, width: 390, height: 844, mobile: true, scheme });
}
try {
  const views = [];
  for (const window of windows) views.push(await open(window));
  const sum = (value) => views.reduce((total, view) => total + value(view), 0);
  console.log(JSON.stringify({
    console_errors: sum((view) => view.console_errors.length), requests: sum((view) => view.requests.length),
    undrawn: sum((view) => view.drawn === "yes" ? 0 : 1), clipped_texts: sum((view) => view.clipped.length), overflow_px: Math.max(...views.map((view) => view.overflow_px)),
    controls: views[0].controls, unreached_controls: sum((view) => view.unreached), unseen_focus: sum((view) => (view.unseen_focus || []).length),
    lost_focus: sum((view) => view.lost_focus), out_of_order: sum((view) => view.in_order ? 0 : 1), unnamed_drawings: sum((view) => view.unnamed), unlabelled_controls: sum((view) => view.unlabelled),
    least_contrast: Math.min(...views.map((view) => view.contrast.ratio)), views }));
} finally {
  await send("Browser.close").catch(() => {});
  await ended;
  rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
}
