package dev.recurrent.evaluation.report;

import ai.djl.engine.Engine;
import java.util.LinkedHashMap;
import java.util.Map;

/** What figures were made with. */
final class Versions {

    private Versions() {}

    /** Returns versions by name; the project's is null where its classes are in no jar. */
    static Map<String, String> current() {
        Engine engine = Engine.getInstance();
        Map<String, String> versions = new LinkedHashMap<>();
        versions.put("recurrent", Versions.class.getPackage().getImplementationVersion());
        versions.put("djl", Engine.getDjlVersion());
        versions.put("engine", engine.getEngineName() + " " + engine.getVersion());
        versions.put("java", Runtime.version().toString());
        return versions;
    }
}
