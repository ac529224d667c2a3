// The last hour as two small plots, drawn anew whenever the service says that some seconds have passed.

const region = document.querySelector("[data-history]");
const HEIGHT = 190;
const HOUR_S = 3600;
const SERIES = {
  rates: [["received", "received", "--link"], ["settled", "settled", "--good"]],
  waiting: [["waiting", "waiting", "--wait"]],
};
const plots = new Map();

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function axis() {
  const ink = colour("--minor");
  const line = colour("--line");
  return { stroke: ink, grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1 } };
}

function made(id) {
  const place = document.getElementById(id);
  const series = SERIES[id].map(([, label, name]) => ({ label, stroke: colour(name), width: 2, spanGaps: false, points: { show: false } }));
  const options = {
    width: place.clientWidth,
    height: HEIGHT,
    scales: { x: { range: () => [Date.now() / 1000 - HOUR_S, Date.now() / 1000] }, y: { range: (_plot, _least, most) => [0, Math.max(1, (most ?? 0) * 1.1)] } },
    axes: [axis(), { ...axis(), size: 56 }],
    series: [{ value: "{HH}:{mm}:{ss}" }, ...series],
    cursor: { drag: { x: false, y: false } },
  };
  return new uPlot(options, [[], ...series.map(() => [])], place);
}

async function refresh() {
  const answer = await fetch(region.dataset.history);
  if (!answer.ok) return;
  const columns = await answer.json();
  for (const [id, plot] of plots) {
    plot.setData([columns.at, ...SERIES[id].map(([name]) => columns[name])]);
  }
}

function begin() {
  plots.forEach((plot) => plot.destroy());
  for (const id of Object.keys(SERIES)) plots.set(id, made(id));
  refresh();
}

function fit() {
  for (const [id, plot] of plots) {
    plot.setSize({ width: document.getElementById(id).clientWidth, height: HEIGHT });
  }
}

begin();
addEventListener("resize", fit);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", begin);
document.body.addEventListener("status", refresh);
