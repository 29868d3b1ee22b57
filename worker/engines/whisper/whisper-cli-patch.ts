/** With it in its environment, our whisper-cli prints the tokens of each segment behind the segment's line. */
export const TOKENS_VARIABLE = 'TRANSCRIPTION_SERVICE_TOKENS';

const PLACE = `        // with timestamps or speakers: each segment on new line
`;

/**
 * whisper-cli prints segments as they are found, but probabilities and times of tokens only into the JSON file at the
 * end. An unpatched whisper-cli works too; docs/decisions.md has the differences.
 */
export const WHISPER_CLI_PATCH = `        if (getenv("${TOKENS_VARIABLE}") != nullptr) {
            printf("\\x1e");
            for (int j = 0; j < whisper_full_n_tokens(ctx, i); ++j) {
                const whisper_token_data token = whisper_full_get_token_data(ctx, i, j);
                if (token.id < whisper_token_eot(ctx)) {
                    printf("%d,%lld,%lld,%.4f;", (int) strlen(whisper_full_get_token_text(ctx, i, j)),
                        (long long) token.t0 * 10, (long long) token.t1 * 10, token.p);
                }
            }
        }

`;

/** @throws Error when the source is not the pinned one. */
export function patchWhisperCli(source: string): string {
  const parts = source.split(PLACE);
  if (parts.length !== 2) throw new Error('The source of whisper-cli has no place for the patch.');
  return `#include <cstdlib>\n#include <cstring>\n${parts.join(WHISPER_CLI_PATCH + PLACE)}`;
}
