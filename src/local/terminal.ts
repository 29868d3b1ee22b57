import { type Bar, MultiBar } from 'cli-progress';
import type { SampleProgress, SampleSegment, SampleView } from './sample.ts';

const BAR_STEPS = 1000;

/** Writes to the terminal; where standard output is not one, the same as plain lines. */
export class Terminal implements SampleView {
  readonly #stream = process.stdout;
  #bars: MultiBar | null = null;
  #bar: Bar | null = null;
  #statusShown = false;
  #tenth = -1;

  say(text: string): void {
    this.#clearStatus();
    if (this.#bars === null) this.#stream.write(`${text}\n`);
    else this.#bars.log(`${text}\n`);
  }

  /** A line that the next one replaces. */
  status(text: string): void {
    if (this.#bars !== null || !this.#stream.isTTY) {
      this.say(`  ${text}`);
      return;
    }
    this.#stream.write(`\r\x1b[2K  ${text.slice(0, (this.#stream.columns || 80) - 3)}`);
    this.#statusShown = true;
  }

  progress({ stage, fraction, processedSeconds, totalSeconds }: SampleProgress): void {
    const doing = fraction === 1 ? 'done' : (stage ?? 'waiting').toLowerCase();
    if (!this.#stream.isTTY) {
      const tenth = Math.floor(fraction * 10);
      if (tenth > this.#tenth) this.say(`  ${String(tenth * 10).padStart(3)} %  ${doing}`);
      this.#tenth = Math.max(tenth, this.#tenth);
      return;
    }
    this.#clearStatus();
    this.#bars ??= new MultiBar({
      format: '  {bar} {percentage} %  {processed} of {audio} s  {doing}',
      stream: this.#stream,
      barCompleteChar: '█',
      barIncompleteChar: '░',
      hideCursor: true,
      gracefulExit: false,
    });
    this.#bar ??= this.#bars.create(BAR_STEPS, 0, {});
    this.#bar.update(Math.round(fraction * BAR_STEPS), {
      processed: processedSeconds.toFixed(1),
      audio: totalSeconds === null ? '?' : totalSeconds.toFixed(1),
      doing,
    });
  }

  segment({ startMs, endMs, text }: SampleSegment): void {
    this.say(`  ${clock(startMs)} – ${clock(endMs)}  ${text.trim()}`);
  }

  /** Leaves the bar as it is and continues below it. */
  endProgress(): void {
    // Draws the lines that are waiting for the next update of the bar.
    this.#bars?.update();
    this.#bars?.stop();
    this.#bars = null;
    this.#bar = null;
    this.#tenth = -1;
    this.#clearStatus();
  }

  #clearStatus(): void {
    if (this.#statusShown) this.#stream.write('\r\x1b[2K');
    this.#statusShown = false;
  }
}

function clock(ms: number): string {
  const seconds = (ms / 1000) % 60;
  return `${String(Math.floor(ms / 60_000)).padStart(2, '0')}:${seconds.toFixed(1).padStart(4, '0')}`;
}
