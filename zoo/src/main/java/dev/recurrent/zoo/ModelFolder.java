package dev.recurrent.zoo;

import com.google.gson.JsonObject;
import dev.recurrent.blocks.torch.ScalarType;
import dev.recurrent.zoo.checkpoint.AtomicFiles;
import dev.recurrent.zoo.config.HubConfig;
import dev.recurrent.zoo.generation.TextGenerationTranslatorFactory;
import java.io.IOException;
import java.nio.channels.Channels;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;

/** The files of a saved model beside its weights. */
final class ModelFolder {

    private static final String SERVING_FILE = "serving.properties";

    /** What DJL's Criteria and DJL Serving need to load the folder. */
    private static final String SERVING =
            String.join(
                    "\n",
                    "engine=PyTorch",
                    "blockFactory=" + LanguageModelBlockFactory.class.getName(),
                    "translatorFactory=" + TextGenerationTranslatorFactory.class.getName(),
                    "option.hasParameter=false",
                    "");

    private static final List<String> TOKENIZER_FILES =
            List.of(
                    "tokenizer.json",
                    "tokenizer_config.json",
                    "special_tokens_map.json",
                    "added_tokens.json",
                    "tokenizer.model",
                    "vocab.json",
                    "merges.txt",
                    "chat_template.jinja",
                    "generation_config.json");

    private ModelFolder() {}

    /** Writes the configuration and what DJL needs. */
    static void describe(Path folder, HubConfig config, ScalarType type) throws IOException {
        JsonObject json = config.toJson();
        // transformers 5 reads the old name as well; 4 reads only that.
        json.remove("dtype");
        json.addProperty("torch_dtype", type.name().toLowerCase(Locale.ROOT));
        AtomicFiles.writeString(folder.resolve(HubConfig.FILE), HubConfig.toText(json));
        AtomicFiles.writeString(folder.resolve(SERVING_FILE), SERVING);
    }

    /** Copies the files that make up a tokenizer, those there are. */
    static void copyTokenizer(Path from, Path to) throws IOException {
        if (Files.isSameFile(from, to)) {
            return;
        }
        for (String name : TOKENIZER_FILES) {
            Path file = from.resolve(name);
            if (Files.isRegularFile(file)) {
                AtomicFiles.write(
                        to.resolve(name),
                        channel -> Files.copy(file, Channels.newOutputStream(channel)));
            }
        }
    }
}
