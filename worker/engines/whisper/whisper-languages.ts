/** The languages of multilingual whisper models. Source: `g_lang` in whisper.cpp 1.9.1. */
const LANGUAGES = new Set(
  (
    'en zh de es ru ko fr ja pt tr pl ca nl ar sv it id hi fi vi he uk el ms cs ro da hu ta no th ur hr bg lt la mi ml ' +
    'cy sk te fa lv bn sr az sl kn et mk br eu is hy ne mn bs kk sq sw gl mr pa si km sn yo so af oc ka be tg sd gu am ' +
    'yi lo uz fo ht ps tk nn mt sa lb my bo tl mg as tt haw ln ha ba jw su yue'
  ).split(' '),
);

/** Tags for which whisper has a code of its own. */
const ALIASES: Readonly<Record<string, string>> = { nb: 'no', jv: 'jw', fil: 'tl', iw: 'he', in: 'id' };
const TAGS: Readonly<Record<string, string>> = { jw: 'jv' };

/** whisper's code for the language of a BCP 47 tag; null when no model supports it. */
export function toWhisperLanguage(tag: string): string | null {
  const language = tag.toLowerCase().split(/[-_]/)[0] ?? '';
  const code = ALIASES[language] ?? language;
  return LANGUAGES.has(code) ? code : null;
}

/** The BCP 47 tag of whisper's code. */
export function toLanguageTag(code: string): string {
  return TAGS[code] ?? code;
}
