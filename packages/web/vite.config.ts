import { defineConfig, type UserConfig } from "vite";

/** The page is served by the chat server under a strict Content-Security-Policy: nothing inline, nothing from elsewhere. */
const config: UserConfig = defineConfig({
  root: import.meta.dirname,
  base: "./",
  resolve: { conditions: ["@landline/source", "module", "browser", "development|production"] },
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  build: {
    outDir: "../server/web",
    emptyOutDir: true,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: { proxy: { "/ws": { target: "ws://127.0.0.1:8083", ws: true } } },
});

export default config;
