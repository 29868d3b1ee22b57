/** `hh:mm:ss` and milliseconds after `point`; hours take the digits they need. */
export function clock(timeMs: number, point: ',' | '.'): string {
  const two = (value: number) => String(Math.floor(value)).padStart(2, '0');
  const [hours, minutes, seconds] = [timeMs / 3_600_000, (timeMs / 60_000) % 60, (timeMs / 1_000) % 60];
  const milliseconds = String(timeMs % 1_000).padStart(3, '0');
  return `${two(hours)}:${two(minutes)}:${two(seconds)}${point}${milliseconds}`;
}
