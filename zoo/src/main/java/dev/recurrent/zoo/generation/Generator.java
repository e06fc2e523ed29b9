package dev.recurrent.zoo.generation;

import ai.djl.ndarray.NDManager;
import dev.recurrent.blocks.LanguageModel;
import dev.recurrent.blocks.torch.MatrixPrecision;
import dev.recurrent.zoo.text.Tokenizer;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.function.Supplier;

/**
 * Continues prompts by a model's own text.
 *
 * <p>Prompts of different lengths run in one batch; each has its own sampler, so its continuation
 * does not depend on the others. A generator holds nothing between calls and may be used by several
 * threads. It belongs to whoever owns model, tokenizer and manager, and closes none of them.
 */
public final class Generator {

    private final Supplier<PreparedModel> models;
    private final Tokenizer tokenizer;
    private final NDManager manager;

    /**
     * Constructs a generator that works in the precision of the thread that calls it, and prepares
     * the model anew at every call.
     *
     * @param model the model, with parameter values
     * @param tokenizer its tokenizer
     * @param manager where generations hang while they run, and the device they run on
     */
    public Generator(LanguageModel model, Tokenizer tokenizer, NDManager manager) {
        this(
                () -> new PreparedModel(model, MatrixPrecision.current(), manager),
                tokenizer,
                manager);
    }

    /**
     * Constructs a generator for a model that serves many calls.
     *
     * @param model the model, closed by the caller after the last call
     * @param tokenizer its tokenizer
     * @param manager where generations hang while they run, and the device they run on
     */
    public Generator(PreparedModel model, Tokenizer tokenizer, NDManager manager) {
        this(model::share, tokenizer, manager);
    }

    /**
     * Constructs a generator.
     *
     * @param models gives each call a model to use
     */
    Generator(Supplier<PreparedModel> models, Tokenizer tokenizer, NDManager manager) {
        this.models = models;
        this.tokenizer = tokenizer;
        this.manager = manager;
    }

    /**
     * Continues a prompt.
     *
     * @param prompt text of at least one token; an empty one only for a tokenizer that begins every
     *     text with a token of its own
     * @param config how
     * @return the continuation
     * @throws IllegalArgumentException if the prompt has no tokens
     */
    public GenerationResult generate(String prompt, GenerationConfig config) {
        return generate(List.of(prompt), config).get(0);
    }

    /**
     * Continues several prompts together.
     *
     * @param prompts as in {@link #generate(String, GenerationConfig)}
     * @param config how; each prompt's draws start from the same seed
     * @return the continuations in the order of the prompts
     * @throws IllegalArgumentException if a prompt has no tokens
     */
    public List<GenerationResult> generate(List<String> prompts, GenerationConfig config) {
        return generate(prompts, Collections.nCopies(prompts.size(), config));
    }

    /**
     * Continues several prompts together, each in its own way: one prompt with several seeds gives
     * several texts.
     *
     * @param prompts as in {@link #generate(String, GenerationConfig)}
     * @param configs one for each prompt; the least of their chunk lengths is used
     * @return the continuations in the order of the prompts
     * @throws IllegalArgumentException if a prompt has no tokens, or the lists differ in length
     */
    public List<GenerationResult> generate(List<String> prompts, List<GenerationConfig> configs) {
        return generateIds(prompts.stream().map(tokenizer::encode).toList(), configs);
    }

    /**
     * Continues several prompts given as tokens.
     *
     * @param prompts ids, at least one each
     * @param configs one for each prompt
     * @return the continuations in the order of the prompts
     * @throws IllegalArgumentException if a prompt has no tokens or one that is not in the
     *     vocabulary, or the lists differ in length
     */
    public List<GenerationResult> generateIds(
            List<long[]> prompts, List<GenerationConfig> configs) {
        if (prompts.isEmpty()) {
            return List.of();
        }
        List<Continuation> texts = continuations(prompts, configs);
        try (Batch batch = batch(texts, configs)) {
            while (batch.isOpen()) {
                batch.advance();
            }
        }
        return texts.stream().map(Continuation::result).toList();
    }

    /**
     * Continues a prompt and gives its text out while it comes.
     *
     * @param prompt as in {@link #generate(String, GenerationConfig)}
     * @param config how
     * @return the text in pieces, to be closed; nothing runs until it is asked for text
     * @throws IllegalArgumentException if the prompt has no tokens
     */
    public TokenStream stream(String prompt, GenerationConfig config) {
        List<GenerationConfig> configs = List.of(config);
        List<Continuation> texts = continuations(List.of(tokenizer.encode(prompt)), configs);
        return new TokenStream(batch(texts, configs), texts.get(0));
    }

    private List<Continuation> continuations(List<long[]> prompts, List<GenerationConfig> configs) {
        if (prompts.size() != configs.size()) {
            throw new IllegalArgumentException(
                    prompts.size() + " prompts came with " + configs.size() + " configurations");
        }
        List<Continuation> texts = new ArrayList<>();
        for (int i = 0; i < prompts.size(); i++) {
            if (prompts.get(i).length == 0) {
                throw new IllegalArgumentException(
                        "Prompt "
                                + i
                                + " is empty, and the tokenizer has no token that begins a text:"
                                + " there is nothing to continue");
            }
            texts.add(new Continuation(prompts.get(i), configs.get(i), tokenizer));
        }
        return texts;
    }

    private Batch batch(List<Continuation> texts, List<GenerationConfig> configs) {
        int chunk = configs.stream().mapToInt(GenerationConfig::prefillChunk).min().orElseThrow();
        return new Batch(models.get(), manager, texts, chunk);
    }
}
