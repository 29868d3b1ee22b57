/** At most `length` UTF-16 units from the start, without half a surrogate pair. */
export function firstChars(text: string, length: number): string {
  return text.slice(0, length).replace(/[\uD800-\uDBFF]$/, '');
}

/** At most `length` UTF-16 units up to the end, without half a surrogate pair. */
export function lastChars(text: string, length: number): string {
  const start = Math.max(0, text.length - length);
  return start === 0 ? text : text.slice(start).replace(/^[\uDC00-\uDFFF]/, '');
}
