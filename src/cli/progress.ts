// The progress line of all long work, on stderr: redrawn on a terminal, now and then a plain line elsewhere.

/** What is counted. */
export type ProgressUnit = "images" | "bytes" | "steps";

/** Where the progress goes: a terminal or any other text stream. */
export interface ProgressStream {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  /** Terminal width in characters. */
  readonly columns?: number;
}

/** What to report and how. */
export interface ProgressOptions {
  /** What is being done, e.g. "pose". */
  readonly label: string;
  /** How many in all; unknown if left out. */
  readonly total?: number;
  readonly unit: ProgressUnit;
  /** Default: stderr, so that stdout stays clean for results. */
  readonly stream?: ProgressStream;
  /** Seconds that the speed, and with it the time left, is averaged over. Default {@link SMOOTHING_S}. */
  readonly smoothing?: number;
  /** Makes the line. Default {@link progressLine}. */
  readonly line?: (state: ProgressState) => string;
  /** Write nothing but {@link Progress.log} lines. */
  readonly quiet?: boolean;
  /** Milliseconds on a steady clock. */
  readonly now?: () => number;
}

/** A running report. */
export interface Progress {
  /** So many are done; `note` (a file name, say) ends the line, `total` corrects the size of the work. */
  update(done: number, note?: string, total?: number): void;
  /** Prints a line above the progress line, also when quiet. */
  log(line: string): void;
  /** Ends the report, with a last line unless quiet. Further calls do nothing. */
  finish(summary?: string): void;
}

/** A terminal line is redrawn at most this often, in milliseconds: smooth to the eye, nothing to the work. */
const REDRAW_MS = 100;

/** Elsewhere (a log file, CI) a line is written at most this often, … */
const LINE_MS = 5000;
/** … and after the first minute whenever this share more time has passed, … */
const LINE_SHARE = 0.1;
/** … but at least this often: hours of work leave a log that one can read. */
const LINE_MAX_MS = 60_000;

/** Usual time constant of the smoothed speed, in seconds. */
const SMOOTHING_S = 5;

/** Width assumed when the terminal does not tell. */
const DEFAULT_COLUMNS = 80;

const CLEAR_LINE = "\r\x1b[2K";

/** Starts a report; nothing is written before the first `update`. */
export function createProgress(options: ProgressOptions): Progress {
  const { label, unit, stream = process.stderr, quiet = false, now = () => performance.now() } = options;
  const { smoothing = SMOOTHING_S, line: makeLine = progressLine } = options;
  const terminal = stream.isTTY === true;
  const started = now();
  const speed = smoothedSpeed(started, smoothing);
  let { total } = options;
  let done = 0;
  let note = "";
  let drawnAt = Number.NEGATIVE_INFINITY;
  let drawn = false;
  let finished = false;

  const clear = () => {
    if (drawn) stream.write(CLEAR_LINE);
    drawn = false;
  };
  const draw = () => {
    const line = makeLine({ label, done, total, unit, perSecond: speed.value(), note });
    if (terminal) {
      // One column stays free: a full line would wrap on some terminals.
      stream.write(CLEAR_LINE + clip(line, Math.max((stream.columns || DEFAULT_COLUMNS) - 1, 1)));
      drawn = true;
    } else {
      stream.write(`${line}\n`);
    }
  };

  return {
    update(newDone, newNote = "", newTotal = total) {
      if (finished) return;
      const time = now();
      speed.add(newDone, time);
      done = newDone;
      note = oneLine(newNote);
      total = newTotal;
      if (quiet || time - drawnAt < (terminal ? REDRAW_MS : lineInterval(time - started))) return;
      drawnAt = time;
      draw();
    },
    log(line) {
      const redraw = drawn;
      clear();
      stream.write(`${line}\n`);
      if (redraw && !finished) draw();
    },
    finish(summary) {
      if (finished) return;
      finished = true;
      clear();
      if (quiet || summary === "") return;
      const seconds = (now() - started) / 1000;
      stream.write(`${summary ?? `${label}: ${amount(done, unit)} in ${duration(seconds)}`}\n`);
    },
  };
}

/** Milliseconds between plain lines when so many have passed. */
function lineInterval(elapsed: number): number {
  return Math.min(LINE_MAX_MS, Math.max(LINE_MS, LINE_SHARE * elapsed));
}

/** What a progress line tells. */
export interface ProgressState {
  readonly label: string;
  readonly done: number;
  readonly total: number | undefined;
  readonly unit: ProgressUnit;
  /** Zero while unknown. */
  readonly perSecond: number;
  readonly note: string;
}

/** `pose  120/400 images  30%  12.3/s  23 s left  photo.jpg`, without what is not known. */
export function progressLine({ label, done, total, unit, perSecond, note }: ProgressState): string {
  const known = total !== undefined && total > 0;
  const parts = [label, known ? amount(done, unit, total) : amount(done, unit)];
  if (known) parts.push(`${Math.floor((100 * Math.min(done, total)) / total)}%`);
  if (perSecond > 0) {
    parts.push(unit === "bytes" ? `${byteSize(perSecond)}/s` : `${significant(perSecond)}/s`);
    if (known && done < total) parts.push(`${duration((total - done) / perSecond)} left`);
  }
  if (note !== "") parts.push(note);
  return parts.join("  ");
}

function amount(done: number, unit: ProgressUnit, total?: number): string {
  if (unit === "bytes") return total === undefined ? byteSize(done) : `${byteSize(done)}/${byteSize(total)}`;
  return total === undefined ? `${done} ${unit}` : `${done}/${total} ${unit}`;
}

/** Bytes in decimal units, as disks and networks are measured: `512 B`, `1.5 kB`, `255 MB`. */
export function byteSize(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let value = bytes;
  let index = 0;
  while (value >= 999.5 && index < units.length - 1) {
    value /= 1000;
    index++;
  }
  return `${index === 0 ? Math.round(value) : significant(value)} ${units[index]}`;
}

/** Seconds for people: `8 s`, `3 min 20 s`, `2 h 5 min`. */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  const minutes = Math.round(whole / 60);
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** Three digits or so: `8.2`, `45.3`, `120`. */
export function significant(value: number): string {
  return value >= 99.95 ? String(Math.round(value)) : value.toFixed(1);
}

/**
 * Exponentially smoothed speed: of each interval's own speed, the share 1 − exp(−Δt/constant) goes in.
 * Divided by the shares given so far, it is right from the first interval (as Adam's bias correction).
 */
function smoothedSpeed(
  started: number,
  constant: number,
): { add(done: number, time: number): void; value(): number } {
  let lastTime = started;
  let lastDone: number | undefined;
  let sum = 0;
  let weight = 0;
  return {
    add(done, time) {
      // Work that restarts counts anew; what a resumed job had already done is not speed.
      if (lastDone === undefined || done < lastDone) {
        lastDone = done;
        lastTime = time;
        return;
      }
      const seconds = (time - lastTime) / 1000;
      if (seconds <= 0) return;
      const share = 1 - Math.exp(-seconds / constant);
      sum += share * ((done - lastDone) / seconds - sum);
      weight += share * (1 - weight);
      lastTime = time;
      lastDone = done;
    },
    value: () => (weight > 0 ? sum / weight : 0),
  };
}

/** Control characters in a file's name must not move the cursor. */
function oneLine(text: string): string {
  return text.replaceAll(/\p{Cc}/gu, "?");
}

function clip(line: string, width: number): string {
  const characters = [...line];
  return characters.length <= width ? line : `${characters.slice(0, width - 1).join("")}…`;
}
