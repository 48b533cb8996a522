export { ChatConversation } from "./chat-conversation.ts";
export { chatPipe } from "./chat-pipe.ts";
