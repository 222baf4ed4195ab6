import { createRoot } from "react-dom/client";
import { App } from "./ui/app.js";
import { applyTheme } from "./ui/theme.js";
import "./styles/tokens.css";
import "./styles/base.css";
import "./styles/controls.css";
import "./styles/layout.css";
import "./styles/sidebar.css";
import "./styles/thread.css";
import "./styles/message.css";
import "./styles/markdown.css";
import "./styles/composer.css";

applyTheme();
createRoot(document.getElementById("root")!).render(<App />);
