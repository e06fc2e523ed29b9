package dev.recurrent.training.lora;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonNull;
import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import com.google.gson.JsonPrimitive;
import dev.recurrent.zoo.checkpoint.CheckpointException;
import dev.recurrent.zoo.config.HubConfig;
import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;

/**
 * PEFT's {@code adapter_config.json} ({@code peft.LoraConfig}).
 *
 * @param rank r
 * @param alpha lora_alpha
 * @param problems what is wrong with the file; rank and alpha mean nothing if there are any
 */
record PeftConfig(int rank, double alpha, List<String> problems) {

    /** The configuration's file in an adapter's folder. */
    static final String FILE = "adapter_config.json";

    /** The file of the weights in an adapter's folder. */
    static final String WEIGHTS = "adapter_model.safetensors";

    private static final long MAX_BYTES = 16L << 20;

    /** Variants of LoRA that change what an adapter computes; they must be off. */
    private static final List<String> VARIANTS =
            List.of(
                    "use_rslora",
                    "use_dora",
                    "use_qalora",
                    "fan_in_fan_out",
                    "lora_bias",
                    "rank_pattern",
                    "alpha_pattern",
                    "modules_to_save",
                    "layer_replication",
                    "trainable_token_indices",
                    "target_parameters");

    /** Returns the text for adapters of some modules. */
    static String text(HubConfig base, LoraConfig config, List<PeftModule> modules) {
        JsonObject json = new JsonObject();
        json.addProperty("peft_type", "LORA");
        json.addProperty("task_type", "CAUSAL_LM");
        json.add("base_model_name_or_path", JsonNull.INSTANCE);
        JsonObject mapping = new JsonObject();
        mapping.addProperty("base_model_class", architecture(base));
        json.add("auto_mapping", mapping);
        json.addProperty("r", config.rank());
        boolean whole = config.alpha() == Math.rint(config.alpha()) && config.alpha() < 1L << 53;
        Number alpha = whole ? (Number) (long) config.alpha() : (Number) config.alpha();
        json.addProperty("lora_alpha", alpha);
        json.addProperty("lora_dropout", 0.0);
        json.addProperty("bias", "none");
        json.addProperty("fan_in_fan_out", false);
        json.addProperty("init_lora_weights", true);
        json.addProperty("inference_mode", true);
        json.add("modules_to_save", JsonNull.INSTANCE);
        JsonArray targets = new JsonArray();
        modules.forEach(module -> targets.add(module.name()));
        json.add("target_modules", targets);
        return HubConfig.toText(json);
    }

    private static String architecture(HubConfig base) {
        return base.toJson().getAsJsonArray("architectures").get(0).getAsString();
    }

    /**
     * Reads a file.
     *
     * @throws CheckpointException if it is not a JSON object
     */
    static PeftConfig read(Path file, HubConfig base) throws IOException, CheckpointException {
        JsonObject json = parse(file);
        List<String> problems = new ArrayList<>();
        require(problems, json, "peft_type", new JsonPrimitive("LORA"));
        if (isOn(json.get("bias"))) {
            require(problems, json, "bias", new JsonPrimitive("none"));
        }
        for (String variant : VARIANTS) {
            if (isOn(json.get(variant))) {
                problems.add(variant + " is " + json.get(variant) + ", which is not supported");
            }
        }
        if (json.get("auto_mapping") instanceof JsonObject mapping
                && isOn(mapping.get("base_model_class"))) {
            require(problems, mapping, "base_model_class", new JsonPrimitive(architecture(base)));
        }
        double rank = number(json, "r");
        if (rank != Math.rint(rank) || rank < 1 || rank > Integer.MAX_VALUE) {
            problems.add("r is " + json.get("r") + "; it must be a whole number >= 1");
        }
        double alpha = number(json, "lora_alpha");
        if (!(alpha > 0 && alpha < Double.POSITIVE_INFINITY)) {
            problems.add("lora_alpha is " + json.get("lora_alpha") + "; it must be a number > 0");
        }
        return new PeftConfig((int) rank, alpha, problems);
    }

    private static void require(
            List<String> problems, JsonObject json, String key, JsonElement wanted) {
        if (!wanted.equals(json.get(key))) {
            problems.add(key + " is " + json.get(key) + "; it must be " + wanted);
        }
    }

    /** Whether a key says anything: false, null and what is empty do not. */
    private static boolean isOn(JsonElement value) {
        if (value == null || value.isJsonNull()) {
            return false;
        }
        return !Set.of("false", "[]", "{}", "\"\"").contains(value.toString());
    }

    /** A number, or NaN where there is none. */
    private static double number(JsonObject json, String key) {
        return json.get(key) instanceof JsonPrimitive value && value.isNumber()
                ? value.getAsDouble()
                : Double.NaN;
    }

    private static JsonObject parse(Path file) throws IOException, CheckpointException {
        if (Files.size(file) > MAX_BYTES) {
            throw new CheckpointException(file, null, "it has more than " + MAX_BYTES + " bytes");
        }
        try {
            if (JsonParser.parseString(Files.readString(file)) instanceof JsonObject object) {
                return object;
            }
            throw new CheckpointException(file, null, "it must be a JSON object");
        } catch (JsonParseException e) {
            throw new CheckpointException(file, null, "it must be JSON: " + e.getMessage(), e);
        } catch (CharacterCodingException e) {
            throw new CheckpointException(file, null, "it must be UTF-8", e);
        }
    }
}
