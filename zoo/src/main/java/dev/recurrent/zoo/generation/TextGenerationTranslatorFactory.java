package dev.recurrent.zoo.generation;

import ai.djl.Model;
import ai.djl.modality.Input;
import ai.djl.modality.Output;
import ai.djl.ndarray.NDList;
import ai.djl.translate.NoopTranslator;
import ai.djl.translate.TranslateException;
import ai.djl.translate.Translator;
import ai.djl.translate.TranslatorFactory;
import ai.djl.util.Pair;
import dev.recurrent.blocks.LanguageModel;
import dev.recurrent.blocks.torch.MatrixPrecision;
import dev.recurrent.zoo.text.Tokenizer;
import dev.recurrent.zoo.text.Tokenizers;
import java.io.IOException;
import java.lang.reflect.Type;
import java.util.Map;
import java.util.Set;
import java.util.UUID;

/**
 * Makes the translators of a model whose Block is a {@link LanguageModel}:
 *
 * <ul>
 *   <li>{@code String} → {@code String}: {@link TextGenerationTranslator}
 *   <li>{@code String} → {@link TokenStream}: {@link StreamingTextTranslator}
 *   <li>{@link Input} → {@link Output}: for DJL Serving, {@code {"inputs": …, "parameters": {…}}}
 *       or plain text
 *   <li>{@link NDList} → {@link NDList}: ids, int64 [B, T], → logits, [B, T, vocabulary]
 * </ul>
 *
 * <p>Arguments set how prompts are continued: {@code max_new_tokens}, {@code temperature}, {@code
 * top_k}, {@code top_p}, {@code repetition_penalty}, {@code seed}, {@code stop}, {@code
 * stop_token_ids}, {@code ignore_eos_token}, {@code prefill_chunk} and {@code do_sample}; {@code
 * precision} sets the type of products: {@code full}, {@code bfloat16} (on GPUs the default) or
 * {@code float16}. The tokenizer is that of the model's folder, and lives as long as the model.
 */
public final class TextGenerationTranslatorFactory implements TranslatorFactory {

    private static final Set<Pair<Type, Type>> TYPES =
            Set.of(
                    new Pair<>(String.class, String.class),
                    new Pair<>(String.class, TokenStream.class),
                    new Pair<>(Input.class, Output.class),
                    new Pair<>(NDList.class, NDList.class));

    @Override
    public Set<Pair<Type, Type>> getSupportedTypes() {
        return TYPES;
    }

    @Override
    @SuppressWarnings("unchecked")
    public <I, O> Translator<I, O> newInstance(
            Class<I> input, Class<O> output, Model model, Map<String, ?> arguments)
            throws TranslateException {
        if (!isSupported(input, output)) {
            throw new TranslateException(
                    "Text generation does not translate " + input + " to " + output);
        }
        if (output == NDList.class) {
            return (Translator<I, O>) new NoopTranslator();
        }
        try {
            GenerationConfig config =
                    GenerationArguments.lenient(GenerationConfig.DEFAULT, arguments);
            MatrixPrecision precision = GenerationArguments.precision(arguments);
            Tokenizer tokenizer = tokenizer(model);
            if (output == TokenStream.class) {
                return (Translator<I, O>) new StreamingTextTranslator(tokenizer, config, precision);
            } else if (output == Output.class) {
                return (Translator<I, O>) new ServingTranslator(tokenizer, config, precision);
            }
            return (Translator<I, O>) new TextGenerationTranslator(tokenizer, config, precision);
        } catch (IOException | IllegalArgumentException e) {
            throw new TranslateException(e.getMessage(), e);
        }
    }

    private static Tokenizer tokenizer(Model model) throws IOException {
        if (!(model.getBlock() instanceof LanguageModel block)) {
            throw new IllegalArgumentException(
                    "Model " + model.getName() + " is not a " + LanguageModel.class.getName());
        }
        Tokenizer tokenizer = Tokenizers.open(model.getModelPath(), block.config().vocabulary());
        model.getNDManager().attachInternal(UUID.randomUUID().toString(), tokenizer);
        return tokenizer;
    }
}
