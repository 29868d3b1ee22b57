import fc from 'fast-check';
import type { Segment, Word } from '../../src/domain/transcript.ts';

const SENTENCES = [
  'Well, I told them that it would not work, and it did not.',
  'Ça va ? Oui, très bien, merci ! « Voilà. »',
  'Straßenbahnhaltestellenüberdachungsgerüst, naïve façade, co-operate: e\u0301t\u0301e.',
  'Мы пошли домой. Было уже поздно; шёл снег.',
  'Καλημέρα σας, τι κάνετε σήμερα;',
  '99 בלונים אדומים.',
  'שלום, קוראים לי Dana ואני גרה ב-Tel Aviv. מה שלומך?',
  'هل تستخدم WhatsApp كل يوم؟ نعم، 24 ساعة.',
  'او گفت: «کتاب ۱۲ تومان است».',
  'He said שלום and left.',
  'नमस्ते, आप कैसे हैं? मैं ठीक हूँ।',
  'আমি ভালো আছি। আপনি কেমন আছেন?',
  'வணக்கம், நீங்கள் எப்படி இருக்கிறீர்கள்?',
  'สวัสดีครับ วันนี้อากาศดีมาก เราไปเดินเล่นกันเถอะ',
  'ສະບາຍດີ ມື້ນີ້ອາກາດດີຫຼາຍ',
  'សួស្តី តើអ្នកសុខសប្បាយទេ។',
  'မင်္ဂလာပါ။ နေကောင်းလား။',
  'བཀྲ་ཤིས་བདེ་ལེགས། ཁྱེད་རང་སྐུ་གཟུགས་བདེ་པོ་ཡིན་པས།',
  '今天天气很好，我们去公园散步吧。你觉得怎么样？',
  '今日は天気がいいですね。ﾃﾚﾋﾞを見ましょうか、それとも「東京タワー」に行きますか？',
  '오늘은 날씨가 좋네요. 같이 산책할까요?',
  'ጤና ይስጥልኝ። እንዴት ነህ?',
  'გამარჯობა, როგორ ხარ?',
  '👩‍👩‍👧‍👦 🇩🇪 👍🏽 — “…” ♪ la la ♪',
  // What parsers and players take for something else.
  'go to File --> Export',
  'if x<y and y>z then',
  '{\\an8} top',
  '42',
  'see <b>bold</b> & <i>more',
  'AT&amp;T &lt;tag&gt; &nbsp; &lrm;',
  '00:00:01,000 --> 00:00:02,000',
  'C:\\new\\Notes \\N \\h',
  '<v Roger>Hi</v> <00:00:00.500> <c.loud>you',
  'NOTE this WEBVTT STYLE',
  '1\n\n2\r\n3\u2028four\u0000five',
  '\u202eabc \u2067def',
  '=1+1',
] as const;

const FRAGMENT = fc.oneof(
  { weight: 9, arbitrary: fc.constantFrom(...SENTENCES) },
  { weight: 1, arbitrary: fc.string({ unit: 'grapheme', minLength: 1, maxLength: 12 }) },
  { weight: 1, arbitrary: fc.constantFrom('', ' ', '\t\n', '-'.repeat(90), 'ย'.repeat(60), '漢'.repeat(50)) },
);

const draft = fc.record({
  /** Less than 0 begins before the last segment has ended. */
  pauseMs: fc.oneof(fc.integer({ min: 0, max: 4_000 }), fc.integer({ min: -6_000, max: 50 }), fc.constant(0)),
  lengthMs: fc.oneof(
    fc.integer({ min: 300, max: 8_000 }),
    fc.integer({ min: 0, max: 60 }),
    fc.integer({ min: 8_000, max: 90_000 }),
  ),
  fragments: fc.array(FRAGMENT, { maxLength: 5 }),
  speaker: fc.option(fc.constantFrom('0', '1', 'host', 'a>b --> c')),
  words: fc.boolean(),
});

/**
 * Transcripts of all scripts, with markup, overlaps, tiny and long segments; in order of their start, as segments of
 * separate channels are.
 */
export const anyTranscript: fc.Arbitrary<Segment[]> = fc.array(draft, { maxLength: 12 }).map((drafts) => {
  let [startMs, endMs] = [0, 0];
  return drafts.map(({ pauseMs, lengthMs, fragments, speaker, words }, index) => {
    startMs = Math.max(startMs, endMs + pauseMs);
    endMs = startMs + lengthMs;
    const text = fragments.join(' ');
    const times = words ? evenWords(text, startMs, endMs) : null;
    return { index, startMs, endMs, text, speaker, confidence: null, words: times };
  });
});

function evenWords(text: string, startMs: number, endMs: number): Word[] {
  const texts = text.split(/\s+/u).filter((word) => word !== '');
  const at = (index: number) => startMs + Math.round((index / texts.length) * (endMs - startMs));
  return texts.map((word, index) => ({
    startMs: at(index),
    endMs: at(index + 1),
    text: word,
    confidence: null,
  }));
}
