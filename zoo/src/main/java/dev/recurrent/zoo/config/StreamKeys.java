package dev.recurrent.zoo.config;

import com.google.gson.JsonObject;
import dev.recurrent.blocks.LanguageModelConfig;
import dev.recurrent.blocks.LayerConfig;
import dev.recurrent.blocks.nn.Activation;
import dev.recurrent.blocks.nn.MlpConfig;

/** The keys of the residual stream and its SwiGLU MLPs, which several upstreams agree on. */
final class StreamKeys {

    private StreamKeys() {}

    static JsonObject write(LanguageModelConfig model, String type) {
        MlpConfig mlp = Unwritable.common(model.layers(), LayerConfig::mlp, type, "MLP");
        Unwritable.unless(
                mlp != null && mlp.activation() == Activation.SILU && !mlp.bias(),
                type,
                "SwiGLU without biases");
        JsonObject json = new JsonObject();
        json.addProperty("vocab_size", model.vocabulary());
        json.addProperty("hidden_size", model.width());
        json.addProperty("num_hidden_layers", model.layers().size());
        json.addProperty("intermediate_size", mlp.hidden());
        json.addProperty("initializer_range", model.initialization().sigma());
        json.addProperty("tie_word_embeddings", model.tiedHead());
        return json;
    }
}
