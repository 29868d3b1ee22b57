/** Details of failures travel to the server: the names of a worker's folders stay behind. */
export function withoutPaths(text: string): string {
  return text.replaceAll(/(?:file:)?(?:\/[\w.@+~-]+)+\/([\w.@+~-]+)/g, '$1');
}
