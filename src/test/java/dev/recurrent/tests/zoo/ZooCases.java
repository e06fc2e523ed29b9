package dev.recurrent.tests.zoo;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import dev.recurrent.tests.support.Conformance;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** The models that upstream implementations saved. */
final class ZooCases {

    static final List<String> MODELS =
            List.of(
                    "delta_net",
                    "delta_net_swa",
                    "gated_deltanet",
                    "gated_deltanet_h1",
                    "mamba2",
                    "recurrent_gemma_griffin",
                    "recurrent_gemma_hawk",
                    "qwen3_5",
                    "olmo_hybrid");

    private ZooCases() {}

    static Path folder(String name) {
        return Conformance.path(name);
    }

    static Path config(String name) {
        return folder(name).resolve("config.json");
    }

    static JsonObject json(String name) throws IOException {
        return JsonParser.parseString(Files.readString(config(name))).getAsJsonObject();
    }
}
