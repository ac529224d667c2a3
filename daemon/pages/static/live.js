// Passes on what the service says has changed, as an event of the page that htmx triggers wait for; and copies addresses.

const root = new URL("../", import.meta.url);
const SUBJECTS = ["studies", "quarantine", "status"];

function tell(subject) {
  document.body.dispatchEvent(new CustomEvent(subject));
}

function listen() {
  const stream = new EventSource(new URL("events", root));
  for (const subject of SUBJECTS) stream.addEventListener(subject, () => tell(subject));
  // What changed before the stream was there is not told by it.
  stream.addEventListener("open", () => SUBJECTS.forEach(tell));
  // Else the connection outlives the page in the browser's memory of it, and counts.
  addEventListener("pagehide", () => stream.close());
  addEventListener("pageshow", (event) => { if (event.persisted) listen(); });
}

if (document.querySelector("[hx-trigger]") || document.querySelector("[data-live]")) listen();

document.addEventListener("click", async (event) => {
  const button = event.target.closest("button[data-copy]");
  if (!button) return;
  await navigator.clipboard.writeText(button.dataset.copy);
  button.textContent = "Copied";
  setTimeout(() => { button.textContent = "Copy"; }, 1500);
});
