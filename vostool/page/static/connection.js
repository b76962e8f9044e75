// The socket to the server: opened again whenever it is lost, until the tab closes.

const FIRST_PAUSE = 250;
const LONGEST_PAUSE = 4000;

export class Connection extends EventTarget {
  // Events: "message" (detail: an object), "labels" (detail: an ArrayBuffer), "open", "lost".
  #socket = null;
  #pause = FIRST_PAUSE;

  constructor() {
    super();
    this.#connect();
  }

  get isOpen() {
    return this.#socket?.readyState === WebSocket.OPEN;
  }

  // Whether it could be sent; what was not is the caller's to send again.
  send(message) {
    if (!this.isOpen) return false;
    this.#socket.send(JSON.stringify(message));
    return true;
  }

  #connect() {
    const url = new URL("./socket", location.href);
    url.protocol = "ws:";
    const socket = new WebSocket(url);
    socket.binaryType = "arraybuffer";
    socket.onopen = () => {
      this.#pause = FIRST_PAUSE;
      this.dispatchEvent(new Event("open"));
    };
    socket.onmessage = ({ data }) => {
      const [type, detail] = typeof data === "string" ? ["message", JSON.parse(data)] : ["labels", data];
      this.dispatchEvent(new CustomEvent(type, { detail }));
    };
    socket.onclose = () => {
      this.dispatchEvent(new Event("lost"));
      setTimeout(() => this.#connect(), this.#pause);
      this.#pause = Math.min(2 * this.#pause, LONGEST_PAUSE);
    };
    this.#socket = socket;
  }
}
