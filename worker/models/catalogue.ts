/**
 * The whisper.cpp models that `npm run models -- pull` knows. Names, sizes and SHA-1 sums are those that the
 * publisher lists (Source: the README of huggingface.co/ggerganov/whisper.cpp); the sizes there are
 * rounded. Three sums (`medium.en-q8_0`, `large-v2-q8_0`, `large-v3-turbo-q8_0`) are known from one list of a third party only.
 * The demo model is this project's own.
 */
export interface CatalogueModel {
  readonly name: string;
  /** As the publisher writes it, such as `142 MiB`. */
  readonly size: string;
  readonly checksum: { readonly algorithm: 'sha1' | 'sha256'; readonly value: string };
}

export const DEMO_MODEL = 'demo-76.en';

function known(name: string, size: string, sha1: string): CatalogueModel {
  return { name, size, checksum: { algorithm: 'sha1', value: sha1 } };
}

export const CATALOGUE: readonly CatalogueModel[] = [
  known('tiny', '75 MiB', 'bd577a113a864445d4c299885e0cb97d4ba92b5f'),
  known('tiny-q5_1', '31 MiB', '2827a03e495b1ed3048ef28a6a4620537db4ee51'),
  known('tiny-q8_0', '42 MiB', '19e8118f6652a650569f5a949d962154e01571d9'),
  known('tiny.en', '75 MiB', 'c78c86eb1a8faa21b369bcd33207cc90d64ae9df'),
  known('tiny.en-q5_1', '31 MiB', '3fb92ec865cbbc769f08137f22470d6b66e071b6'),
  known('tiny.en-q8_0', '42 MiB', '802d6668e7d411123e672abe4cb6c18f12306abb'),
  known('base', '142 MiB', '465707469ff3a37a2b9b8d8f89f2f99de7299dac'),
  known('base-q5_1', '57 MiB', 'a3733eda680ef76256db5fc5dd9de8629e62c5e7'),
  known('base-q8_0', '78 MiB', '7bb89bb49ed6955013b166f1b6a6c04584a20fbe'),
  known('base.en', '142 MiB', '137c40403d78fd54d454da0f9bd998f78703390c'),
  known('base.en-q5_1', '57 MiB', 'd26d7ce5a1b6e57bea5d0431b9c20ae49423c94a'),
  known('base.en-q8_0', '78 MiB', 'bb1574182e9b924452bf0cd1510ac034d323e948'),
  known('small', '466 MiB', '55356645c2b361a969dfd0ef2c5a50d530afd8d5'),
  known('small-q5_1', '181 MiB', '6fe57ddcfdd1c6b07cdcc73aaf620810ce5fc771'),
  known('small-q8_0', '252 MiB', 'bcad8a2083f4e53d648d586b7dbc0cd673d8afad'),
  known('small.en', '466 MiB', 'db8a495a91d927739e50b3fc1cc4c6b8f6c2d022'),
  known('small.en-q5_1', '181 MiB', '20f54878d608f94e4a8ee3ae56016571d47cba34'),
  known('small.en-q8_0', '252 MiB', '9d75ff4ccfa0a8217870d7405cf8cef0a5579852'),
  known('medium', '1.5 GiB', 'fd9727b6e1217c2f614f9b698455c4ffd82463b4'),
  known('medium-q5_0', '514 MiB', '7718d4c1ec62ca96998f058114db98236937490e'),
  known('medium-q8_0', '785 MiB', 'e66645948aff4bebbec71b3485c576f3d63af5d6'),
  known('medium.en', '1.5 GiB', '8c30f0e44ce9560643ebd10bbe50cd20eafd3723'),
  known('medium.en-q5_0', '514 MiB', 'bb3b5281bddd61605d6fc76bc5b92d8f20284c3b'),
  known('medium.en-q8_0', '785 MiB', 'b1cf48c12c807e14881f634fb7b6c6ca867f6b38'),
  known('large-v1', '2.9 GiB', 'b1caaf735c4cc1429223d5a74f0f4d0b9b59a299'),
  known('large-v2', '2.9 GiB', '0f4c8e34f21cf1a914c59d8b3ce882345ad349d6'),
  known('large-v2-q5_0', '1.1 GiB', '00e39f2196344e901b3a2bd5814807a769bd1630'),
  known('large-v2-q8_0', '1.5 GiB', 'da97d6ca8f8ffbeeb5fd147f79010eeea194ba38'),
  known('large-v3', '2.9 GiB', 'ad82bf6a9043ceed055076d0fd39f5f186ff8062'),
  known('large-v3-q5_0', '1.1 GiB', 'e6e2ed78495d403bef4b7cff42ef4aaadcfea8de'),
  known('large-v3-turbo', '1.5 GiB', '4af2b29d7ec73d781377bfd1758ca957a807e941'),
  known('large-v3-turbo-q5_0', '547 MiB', 'e050f7970618a659205450ad97eb95a18d69c9ee'),
  known('large-v3-turbo-q8_0', '834 MiB', '01bf15bedffe9f39d65c1b6ff9b687ea91f59e0e'),
  {
    name: DEMO_MODEL,
    size: '17 MiB',
    checksum: {
      algorithm: 'sha256',
      value: '25094d39c33d5af98c8fc5cc30bfcee01fe2bed53f538781ea63f28f5d53f1bf',
    },
  },
];

export function findInCatalogue(name: string): CatalogueModel | null {
  return CATALOGUE.find((model) => model.name === name) ?? null;
}

export function modelFileName(name: string): string {
  return `ggml-${name}.bin`;
}

/** The name in `ggml-<name>.bin`; null for other files. */
export function modelNameOf(fileName: string): string | null {
  return /^ggml-(.+)\.bin$/.exec(fileName)?.[1] ?? null;
}

/** BCP 47 tags; empty means any of whisper's languages. */
export function languagesOf(name: string): readonly string[] {
  return /\.en(-|$)/.test(name) ? ['en'] : [];
}
