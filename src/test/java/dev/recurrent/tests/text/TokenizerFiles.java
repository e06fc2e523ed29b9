package dev.recurrent.tests.text;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** Small tokenizer.json files. */
public final class TokenizerFiles {

    private TokenizerFiles() {}

    /**
     * Writes a byte-level BPE tokenizer as GPT-2's: 256 byte tokens, two merges ("th", "the") and
     * an end of text.
     *
     * @return the number of its ids, 259; the last one is the end of text
     */
    public static int writeByteLevel(Path folder) throws IOException {
        JsonObject vocab = new JsonObject();
        for (int id = 0; id < 256; id++) {
            vocab.addProperty(String.valueOf(byteLevel(id)), id);
        }
        vocab.addProperty("th", 256);
        vocab.addProperty("the", 257);
        JsonArray merges = new JsonArray();
        merges.add("t h");
        merges.add("th e");
        JsonObject model = new JsonObject();
        model.addProperty("type", "BPE");
        model.add("vocab", vocab);
        model.add("merges", merges);
        JsonObject file = file(model);
        file.add("pre_tokenizer", byteLevelStep());
        file.add("decoder", byteLevelStep());
        file.add("added_tokens", special("<|end|>", 258));
        Files.writeString(folder.resolve("tokenizer.json"), file.toString());
        Files.writeString(
                folder.resolve("tokenizer_config.json"),
                "{\"eos_token\": {\"content\": \"<|end|>\"}}");
        return 259;
    }

    /**
     * Writes a tokenizer of pieces with byte fallback as Llama's: "▁a", "b", the 256 byte tokens.
     *
     * @return the number of its ids
     */
    public static int writeByteFallback(Path folder) throws IOException {
        JsonObject vocab = new JsonObject();
        vocab.addProperty("<unk>", 0);
        for (int id = 0; id < 256; id++) {
            vocab.addProperty(String.format("<0x%02X>", id), id + 1);
        }
        vocab.addProperty("\u2581a", 257);
        vocab.addProperty("b", 258);
        JsonObject model = new JsonObject();
        model.addProperty("type", "BPE");
        model.addProperty("unk_token", "<unk>");
        model.addProperty("byte_fallback", true);
        model.add("vocab", vocab);
        model.add("merges", new JsonArray());
        JsonArray steps = new JsonArray();
        steps.add(step("Replace", "pattern", "\u2581", "content", " "));
        steps.add(step("ByteFallback"));
        steps.add(step("Fuse"));
        JsonObject strip = step("Strip", "content", " ");
        strip.addProperty("start", 1);
        strip.addProperty("stop", 0);
        steps.add(strip);
        JsonObject decoder = step("Sequence");
        decoder.add("decoders", steps);
        JsonObject file = file(model);
        file.add("decoder", decoder);
        file.add("added_tokens", special("<unk>", 0));
        Files.writeString(folder.resolve("tokenizer.json"), file.toString());
        return 259;
    }

    /** Writes a tokenizer of words that begins every text with a token of its own, id 1. */
    public static int writeWords(Path folder, String... words) throws IOException {
        JsonObject vocab = new JsonObject();
        vocab.addProperty("<unk>", 0);
        vocab.addProperty("<s>", 1);
        for (int i = 0; i < words.length; i++) {
            vocab.addProperty(words[i], i + 2);
        }
        JsonObject model = new JsonObject();
        model.addProperty("type", "WordLevel");
        model.addProperty("unk_token", "<unk>");
        model.add("vocab", vocab);
        JsonObject file = file(model);
        file.add("pre_tokenizer", step("Whitespace"));
        file.add("added_tokens", special("<s>", 1));
        file.add("post_processor", beginsWith("<s>", 1));
        Files.writeString(folder.resolve("tokenizer.json"), file.toString());
        return words.length + 2;
    }

    private static JsonObject file(JsonObject model) {
        JsonObject file = new JsonObject();
        file.addProperty("version", "1.0");
        file.add("model", model);
        return file;
    }

    private static JsonArray special(String content, int id) {
        JsonObject token = new JsonObject();
        token.addProperty("id", id);
        token.addProperty("content", content);
        token.addProperty("special", true);
        token.addProperty("single_word", false);
        token.addProperty("lstrip", false);
        token.addProperty("rstrip", false);
        token.addProperty("normalized", false);
        JsonArray tokens = new JsonArray();
        tokens.add(token);
        return tokens;
    }

    private static JsonObject beginsWith(String content, int id) {
        return com.google.gson.JsonParser.parseString(
                        """
                        {"type": "TemplateProcessing",
                         "single": [{"SpecialToken": {"id": "%1$s", "type_id": 0}},
                                    {"Sequence": {"id": "A", "type_id": 0}}],
                         "pair": [{"Sequence": {"id": "A", "type_id": 0}},
                                  {"Sequence": {"id": "B", "type_id": 1}}],
                         "special_tokens": {
                             "%1$s": {"id": "%1$s", "ids": [%2$d], "tokens": ["%1$s"]}}}
                        """
                                .formatted(content, id))
                .getAsJsonObject();
    }

    private static JsonObject byteLevelStep() {
        JsonObject step = step("ByteLevel");
        step.addProperty("add_prefix_space", false);
        step.addProperty("trim_offsets", true);
        step.addProperty("use_regex", true);
        return step;
    }

    private static JsonObject step(String type, String... properties) {
        JsonObject step = new JsonObject();
        step.addProperty("type", type);
        for (int i = 0; i < properties.length; i += 2) {
            if (properties[i].equals("pattern")) {
                JsonObject pattern = new JsonObject();
                pattern.addProperty("String", properties[i + 1]);
                step.add("pattern", pattern);
            } else {
                step.addProperty(properties[i], properties[i + 1]);
            }
        }
        return step;
    }

    /** GPT-2 writes bytes as printable characters: themselves, or U+0100 on for the others. */
    private static char byteLevel(int value) {
        char shown = 0x100;
        for (int b = 0; b <= value; b++) {
            boolean printable =
                    b >= '!' && b <= '~' || b >= 0xa1 && b <= 0xac || b >= 0xae && b <= 0xff;
            if (b == value) {
                return printable ? (char) b : shown;
            }
            shown += (char) (printable ? 0 : 1);
        }
        throw new IllegalArgumentException("Not a byte: " + value);
    }
}
