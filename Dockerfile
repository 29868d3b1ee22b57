# One image, two commands: the server (default) and the worker.

FROM node:22-bookworm AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts
COPY tsconfig.json tsconfig.build.json ./
COPY src src
COPY worker worker
COPY migrations migrations
RUN npm run build
COPY scripts/build-whisper.mjs scripts/
RUN node scripts/build-whisper.mjs /usr/local/bin/whisper-cli
# Without the compiler, the tests' tools, and what only a machine without Docker needs.
RUN npm prune --omit=dev --omit=optional --ignore-scripts

FROM node:22-bookworm-slim
RUN apt-get update \
  && apt-get install --yes --no-install-recommends ca-certificates ffmpeg libgomp1 \
  && rm -rf /var/lib/apt/lists/* \
  && install --directory --owner=node --group=node /data /app/models
WORKDIR /app
COPY --from=build /usr/local/bin/whisper-cli /usr/local/bin/whisper-cli
COPY --from=build /app/node_modules node_modules
COPY --from=build /app/dist dist
COPY package.json ./
COPY --chown=node:node models/demo models/demo
ENV NODE_ENV=production \
  NODE_OPTIONS=--enable-source-maps \
  HOST=0.0.0.0 \
  DATA_DIR=/data \
  MODELS_DIR=/app/models \
  WHISPER_BIN=/usr/local/bin/whisper-cli
USER node
EXPOSE 4000
CMD ["node", "dist/src/main.js"]
