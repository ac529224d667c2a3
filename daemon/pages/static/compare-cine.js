// Shows one image after the other by itself, as long as it runs.

const USUAL_RATE = 10;
export const MOST_RATE = 60;

/** Return the frames a second that a header recommends: to display, else as acquired (PS3.3 C.7.6.5). */
export function rateOf(attributes) {
  const number = (tag) => Number(attributes?.[tag]?.Value?.[0]);
  const rates = [number("00082144"), number("00180040"), 1000 / number("00181063")];
  const found = rates.find((rate) => rate > 0 && Number.isFinite(rate)) ?? USUAL_RATE;
  return Math.min(MOST_RATE, Math.max(1, Math.round(found)));
}

export class Cine {
  /** `advance` goes on by one image, `rate` tells how often in a second, `told` hears when it runs and stops. */
  constructor(advance, rate, told) {
    this.advance = advance;
    this.rate = rate;
    this.told = told;
    this.timer = undefined;
  }

  get isRunning() {
    return this.timer !== undefined;
  }

  toggle() {
    if (this.isRunning) this.stop();
    else this.start();
  }

  start() {
    this.tick();
    this.told();
  }

  stop() {
    if (!this.isRunning) return;
    clearTimeout(this.timer);
    this.timer = undefined;
    this.told();
  }

  tick() {
    this.timer = setTimeout(() => this.tick(), 1000 / this.rate());
    this.advance();
  }
}
