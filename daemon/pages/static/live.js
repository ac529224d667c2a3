// Passes on what the service says has changed, as an event of the page that htmx triggers wait for; and copies addresses.

const root = new URL("../", import.meta.url);
const SUBJECTS = ["studies", "quarantine", "status"];

function tell(subject) {
  document.body.dispatchEvent(new CustomEvent(subject));
}

let stream = null;

function listen() {
  // A browser has few connections to one host: pages that nobody sees give theirs back.
  if (document.hidden) { stream?.close(); stream = null; return; }
  if (stream) return;
  stream = new EventSource(new URL("events", root));
  for (const subject of SUBJECTS) stream.addEventListener(subject, () => tell(subject));
  // What changed before the stream was there is not told by it.
  stream.addEventListener("open", () => SUBJECTS.forEach(tell));
}

function listenWhileShown() {
  listen();
  document.addEventListener("visibilitychange", listen);
  // Else the connection outlives the page in the browser's memory of it, and counts.
  addEventListener("pagehide", () => { stream?.close(); stream = null; });
  addEventListener("pageshow", (event) => { if (event.persisted) listen(); });
}

// What somebody has unfolded stays so when the list around it comes anew, what was copied stays marked, and the
// focus stays in it.
let unfolded = [];
let focused = "";
let copied = "";

function label(id, text) {
  const button = document.getElementById(id);
  if (button) button.textContent = text;
}

document.addEventListener("htmx:beforeSwap", (event) => {
  unfolded = [...event.target.querySelectorAll("details[open][id]")].map(({ id }) => id);
  focused = event.target.contains(document.activeElement) ? document.activeElement.id : "";
});
// At once, not when htmx has settled: what is pressed in between would go nowhere.
document.addEventListener("htmx:afterSwap", () => {
  for (const id of unfolded) document.getElementById(id)?.setAttribute("open", "");
  if (focused && document.activeElement === document.body) document.getElementById(focused)?.focus();
  label(copied, "Copied");
});

if (document.querySelector("[hx-trigger]") || document.querySelector("[data-live]")) listenWhileShown();

document.addEventListener("click", async (event) => {
  const button = event.target.closest("button[data-copy]");
  if (!button) return;
  await navigator.clipboard.writeText(button.dataset.copy);
  label(copied, "Copy");
  copied = button.id;
  label(copied, "Copied");
  setTimeout(() => {
    if (copied !== button.id) return;
    label(copied, "Copy");
    copied = "";
  }, 1500);
});
