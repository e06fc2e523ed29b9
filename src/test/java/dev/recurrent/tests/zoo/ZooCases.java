package dev.recurrent.tests.zoo;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import dev.recurrent.tests.support.Conformance;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** The models that upstream implementations saved. */
final class ZooCases {

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
