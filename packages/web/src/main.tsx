import { render } from "preact";
import { App } from "./app.tsx";
import { TabSession } from "./tab-session.ts";
import "./style.css";

const root = document.getElementById("app");
if (root !== null) {
  const tab = await TabSession.open();
  root.replaceChildren();
  render(<App tab={tab} />, root);
}
