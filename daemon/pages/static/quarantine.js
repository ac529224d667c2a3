// Shows what waits as it is now, without losing what was chosen or where the focus is.

const ID = "quarantine";
let isWanted = false;
let isAsking = false;

/** What changes while an answer is under way may not be in it: then it is asked for once more. */
async function refresh() {
  isWanted = true;
  if (isAsking) return;
  isAsking = true;
  try {
    while (isWanted) {
      isWanted = false;
      await refreshNow();
    }
  } finally {
    isAsking = false;
  }
}

async function refreshNow() {
  const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
  if (!answer.ok) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const now = document.getElementById(ID);
  const then = page.getElementById(ID);
  if (then.textContent === now.textContent) return;
  keep(now, then);
  const focused = document.activeElement?.id;
  now.replaceWith(document.adoptNode(then));
  if (focused) document.getElementById(focused)?.focus();
}

function keep(now, then) {
  for (const field of now.querySelectorAll("input[id], select[id]")) {
    const same = then.querySelector(`#${CSS.escape(field.id)}`);
    if (!same) continue;
    if (field.type === "checkbox") same.checked = field.checked;
    else same.value = field.value;
  }
}

document.body.addEventListener("quarantine", refresh);
