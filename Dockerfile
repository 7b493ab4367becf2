# syntax=docker/dockerfile:1

# Debian and not Alpine: the suite runs against glibc, and so do the native modules' best-tried builds.
# The three stages share one base, so that what is compiled and installed is what runs.
FROM node:24.21.0-bookworm-slim AS base
WORKDIR /app

FROM base AS build
COPY package.json package-lock.json .npmrc ./
RUN npm ci
COPY tsconfig.json tsconfig.build.json ./
COPY src ./src
RUN npm run build

# Production dependencies only: the Node.js of the npm package `node` is for development, the image has its own.
FROM base AS dependencies
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev --ignore-scripts

FROM base
ENV NODE_ENV=production
COPY package.json LICENSE ./
COPY --from=dependencies /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
# Nothing is written, so nothing needs to belong to this user.
USER node
# Run it with --init (the compose file does): Node.js as process 1 does not collect orphans.
# No HEALTHCHECK: only with --listen is there anything to be asked, and whoever sets that knows the port; when they fail
# they exit. For Kubernetes see deploy/kubernetes.
ENTRYPOINT ["node", "dist/cli/main.js"]
CMD ["--help"]
