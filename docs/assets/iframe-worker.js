// Search without a server: browsers start no worker from file://, so there its script runs in a hidden frame.
// The builder would load such a script from elsewhere, unless one of this name is given.
if (location.protocol === "file:")
  window.Worker = class {
    #frame = document.createElement("iframe");
    #loaded;
    onmessage = null;
    onerror = null;

    constructor(address) {
      this.#frame.hidden = true;
      document.body.append(this.#frame);
      const inside = this.#frame.contentWindow;
      inside.postMessage = data => setTimeout(() => this.onmessage?.({data: structuredClone(data)}));
      const script = inside.document.createElement("script");
      script.src = new URL(address, location);
      this.#loaded = new Promise(resolve => (script.onload = resolve));
      script.onerror = () => this.onerror?.(new Event("error"));
      inside.document.head.append(script);
    }

    postMessage(data) {
      const sent = structuredClone(data);
      this.#loaded.then(() => this.#frame.contentWindow?.onmessage?.({data: sent}));
    }

    terminate() {
      this.#frame.remove();
    }
  };
