package dev.recurrent.zoo.config;

import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonNull;
import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import dev.recurrent.blocks.LanguageModelConfig;
import dev.recurrent.blocks.nn.Initialization;
import dev.recurrent.zoo.naming.NameMap;
import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;

/**
 * A model as a Hugging Face directory describes it: our configuration, and what is not mathematics.
 *
 * @param modelType upstream's name for the implementation
 * @param model what the model is made of
 * @param tokens its special tokens
 * @param maxPositions the length that it was trained at; 0 if nothing says so
 * @param json the file, unknown keys included
 */
public record HubConfig(
        String modelType,
        LanguageModelConfig model,
        SpecialTokens tokens,
        long maxPositions,
        JsonObject json) {

    /** The file's name in a directory. */
    public static final String FILE = "config.json";

    private static final long MAX_BYTES = 16L << 20;
    private static final Gson GSON =
            new GsonBuilder()
                    .setPrettyPrinting()
                    .disableHtmlEscaping()
                    .serializeNulls()
                    .serializeSpecialFloatingPointValues()
                    .create();
    private static final Map<String, ModelFormat> FORMATS =
            Map.of(
                    DeltaNetFormat.TYPE, new DeltaNetFormat(),
                    GatedDeltaNetFormat.TYPE, new GatedDeltaNetFormat(),
                    HybridH2Format.TYPE, new HybridH2Format(),
                    Mamba2Format.TYPE, new Mamba2Format(),
                    RecurrentGemmaFormat.TYPE, new RecurrentGemmaFormat(),
                    Qwen35Format.TYPE, new Qwen35Format(),
                    OlmoHybridFormat.TYPE, new OlmoHybridFormat());

    /** Copies the JSON. */
    public HubConfig {
        json = json.deepCopy();
    }

    /** Returns a copy of the file's contents. */
    @Override
    public JsonObject json() {
        return json.deepCopy();
    }

    /** Returns the same model with weights that start in another way, which files do not tell. */
    public HubConfig with(Initialization initialization) {
        return new HubConfig(modelType, model.with(initialization), tokens, maxPositions, json);
    }

    /**
     * Reads a {@code config.json}.
     *
     * @param file the file
     * @return the configuration
     * @throws ConfigException if it is malformed, or describes what is not supported
     * @throws IOException if the file cannot be read
     */
    public static HubConfig read(Path file) throws IOException, ConfigException {
        if (Files.size(file) > MAX_BYTES) {
            throw new ConfigException(
                    file.toString(), "a configuration of more than " + MAX_BYTES + " bytes");
        }
        try {
            return parse(file.toString(), Files.readString(file));
        } catch (CharacterCodingException e) {
            throw new ConfigException(file.toString(), "not UTF-8", e);
        }
    }

    /**
     * Reads the contents of a {@code config.json}.
     *
     * @param source what error messages call it
     * @param text the contents
     * @return the configuration
     * @throws ConfigException if it is malformed, or describes what is not supported
     */
    public static HubConfig parse(String source, String text) throws ConfigException {
        JsonObject json = Qwen35Format.textModel(parseObject(source, text));
        ConfigKeys keys = new ConfigKeys(source, json);
        String type = keys.text("model_type", "");
        ModelFormat format = FORMATS.get(type);
        if (format == null) {
            throw keys.wrong("model_type", String.join(" or ", modelTypes()));
        }
        try {
            SpecialTokens defaults = format.defaultTokens();
            return new HubConfig(
                    type,
                    format.read(keys),
                    new SpecialTokens(
                            keys.token("bos_token_id", defaults.bos()),
                            keys.tokens("eos_token_id", defaults.eos()),
                            keys.token("pad_token_id", defaults.pad())),
                    keys.has("max_position_embeddings")
                            ? keys.count("max_position_embeddings", 0)
                            : format.defaultMaxPositions(),
                    json);
        } catch (IllegalArgumentException e) {
            throw new ConfigException(source, e.getMessage(), e);
        }
    }

    /**
     * Describes a model of ours in an upstream's words.
     *
     * @param modelType upstream's name for the implementation
     * @param model what the model is made of
     * @param tokens its special tokens
     * @param maxPositions the length that it is trained at; 0 to say nothing
     * @return the configuration
     * @throws IllegalArgumentException if upstream has no words for the model
     */
    public static HubConfig of(
            String modelType, LanguageModelConfig model, SpecialTokens tokens, long maxPositions) {
        if (!FORMATS.containsKey(modelType)) {
            throw new IllegalArgumentException(
                    "model_type " + modelType + " is none of " + modelTypes());
        }
        HubConfig bare = new HubConfig(modelType, model, tokens, maxPositions, new JsonObject());
        return new HubConfig(modelType, model, tokens, maxPositions, bare.toJson());
    }

    /** Returns every {@code model_type} that can be read, sorted. */
    public static List<String> modelTypes() {
        return FORMATS.keySet().stream().sorted().toList();
    }

    /** Returns the names of the model's weights upstream. */
    public NameMap names() {
        return format().names(model);
    }

    /**
     * Returns what a {@code config.json} says about this model: the keys that were read, and every
     * key that determines the model.
     */
    public JsonObject toJson() {
        JsonObject merged = json.deepCopy();
        JsonArray architectures = new JsonArray();
        architectures.add(format().architecture());
        merged.add("architectures", architectures);
        merged.addProperty("model_type", modelType);
        format().write(model, maxPositions).asMap().forEach(merged::add);
        merged.add("bos_token_id", id(tokens.bos()));
        merged.add("eos_token_id", ids(tokens.eos()));
        merged.add("pad_token_id", id(tokens.pad()));
        if (maxPositions > 0) {
            merged.addProperty("max_position_embeddings", maxPositions);
        }
        return merged;
    }

    /**
     * Returns the text of a {@code config.json}. Infinity stands as a bare word, as Python writes
     * it.
     *
     * @param json its contents, such as {@link #toJson()}
     * @return the text
     */
    public static String toText(JsonObject json) {
        return GSON.toJson(json) + "\n";
    }

    private ModelFormat format() {
        return FORMATS.get(modelType);
    }

    private static JsonObject parseObject(String source, String text) throws ConfigException {
        try {
            if (JsonParser.parseString(text) instanceof JsonObject object) {
                return object;
            }
        } catch (JsonParseException e) {
            throw new ConfigException(source, "not JSON: " + e.getMessage(), e);
        }
        throw new ConfigException(source, "not a JSON object");
    }

    private static JsonElement id(OptionalLong token) {
        return token.isPresent() ? GSON.toJsonTree(token.getAsLong()) : JsonNull.INSTANCE;
    }

    private static JsonElement ids(List<Long> tokens) {
        return switch (tokens.size()) {
            case 0 -> JsonNull.INSTANCE;
            case 1 -> GSON.toJsonTree(tokens.get(0));
            default -> GSON.toJsonTree(tokens);
        };
    }
}
