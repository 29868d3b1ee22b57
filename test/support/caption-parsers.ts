import { type CueNode, parseText, tokenizeVTTCue } from 'media-captions';
import SubRipParser from 'srt-parser-2';
import { type Cue, type TreeNode, WebVTTParser } from 'webvtt-parser';
import entities from 'webvtt-parser/html-entities.json' with { type: 'json' };
import type { ReadCaption } from './captions.ts';

type Reader = (file: string) => Promise<readonly ReadCaption[]>;

/** Readers of captions by others, as a player would see the file. */
export const SUB_RIP_PARSERS: readonly { readonly parser: string; readonly read: Reader }[] = [
  {
    parser: 'srt-parser-2',
    read: async (file) =>
      new SubRipParser().fromSrt(file).map((cue) => caption(cue.startSeconds, cue.endSeconds, cue.text)),
  },
  {
    parser: 'media-captions',
    read: async (file) => {
      const { cues } = await parseText(file, { type: 'srt', strict: true });
      return cues.map((cue) => caption(cue.startTime, cue.endTime, cue.text));
    },
  },
];

export const WEB_VTT_PARSERS: readonly { readonly parser: string; readonly read: Reader }[] = [
  {
    parser: 'webvtt-parser',
    read: async (file) => {
      const { cues, errors } = new WebVTTParser(entities).parse(file, 'subtitles');
      if (errors.length > 0) throw new Error(`not valid: ${JSON.stringify(errors)}`);
      return cues.map((cue: Cue) => caption(cue.startTime, cue.endTime, textOfTree(cue.tree.children)));
    },
  },
  {
    parser: 'media-captions',
    read: async (file) => {
      const { cues } = await parseText(file, { type: 'vtt', strict: true });
      return cues.map((cue) => caption(cue.startTime, cue.endTime, textOfNodes(tokenizeVTTCue(cue))));
    },
  },
];

function caption(startSeconds: number, endSeconds: number, text: string): ReadCaption {
  return {
    startMs: Math.round(startSeconds * 1_000),
    endMs: Math.round(endSeconds * 1_000),
    lines: text.split('\n'),
  };
}

function textOfTree(nodes: readonly TreeNode[]): string {
  return nodes
    .map((node) => {
      if (node.type === 'object') return textOfTree(node.children as TreeNode[]);
      return node.type === 'text' ? node.value : '';
    })
    .join('');
}

function textOfNodes(nodes: readonly CueNode[]): string {
  return nodes.map((node) => (node.type === 'text' ? node.data : textOfNodes(node.children))).join('');
}
