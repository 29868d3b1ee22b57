/**
 * Why a patch: whisper-cli prints segments as they are found, but each token's probability and time only into
 * the JSON file at the very end. Ours prints them behind each line, when the environment asks for it; every
 * other use of the program is unchanged. An unpatched whisper-cli works too, see docs/decisions.md.
 */
export const PATCH_VERSION = 1;
export const TOKENS_VARIABLE = 'TRANSCRIPTION_SERVICE_TOKENS';

const PLACE = `        // with timestamps or speakers: each segment on new line
`;

const ADDITION = `        if (getenv("${TOKENS_VARIABLE}") != nullptr) {
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
  return `#include <cstdlib>\n#include <cstring>\n${parts.join(ADDITION + PLACE)}`;
}
