// The page's words in three languages. A key that a language lacks is shown in English.
const words = {
  en: {
    skip: "Skip to content", link: "Link", concepts: "Concepts", review: "Review", runs: "Runs", settings: "Settings", language: "Language", theme: "Appearance",
    auto: "as the system", light: "light", dark: "dark", name: "Your name", key: "API key", unreachable: "The server does not answer.", needkey: "A key is needed: Settings, API key.",
    text: "Text", texthint: "Type or paste a text. Select a mention with mouse or Shift and arrow keys and press Mark (Alt+M), or write [mention]{Group}.", example: "Example",
    textlanguage: "Language of the text", group: "Group", guess: "guess", mark: "Mark selection", nothing: "Nothing is selected.", marked: "Marked mentions", remove: "Remove {0}",
    dolink: "Link", detect: "Find mentions", linked: "{0} mentions linked, {1} uncertain.", uncertain: "uncertain", choose: "Choose a mention to see its candidates.",
    candidates: "Candidates of “{0}”", nil: "Probability that none is right: {0}", abstained: "No concept of the knowledge base fits.", broader: "Broader", narrower: "Narrower", path: "Path of the name in the trie",
    pathhint: "Each token with its probability among {0} possible ones; {1} names begin like this.", sources: "Found by", "source.beam": "language model", "source.dictionary": "equal to a name", "source.memory": "equal to a training annotation",
    "source.tfidf": "similar to a name", "source.training": "similar to a training annotation", "source.reviewer": "chosen here", earlier: "Earlier in this text", picked: "{0} chosen for “{1}”.", otherconcept: "Another concept", search: "Search", exportas: "Export as", doexport: "Export",
    sendreview: "Send to review", sent: "{0} mentions added to the review queue.", confirm: "I confirm the chosen concepts", needname: "Enter your name under Settings first.",
    searchconcepts: "Search concepts", searchhint: "A code, a name or its beginning in any language; typing errors are forgiven.", hits: "{0} concepts", nohits: "Nothing found.", allgroups: "all groups", names: "Names", definition: "Definition", types: "Types", group1: "Group", preferred: "preferred",
    "match.code": "code", "match.exact": "exact", "match.prefix": "beginning", "match.word": "word", "match.spread": "words", "match.typo": "similar", xrefs: "Other codes",
    queue: "Queue", synthetic: "Synthetic sentences", uncertainlinks: "Uncertain links", empty: "Nothing left to review in this queue.", means: "Does “{0}” mean this concept, and is the sentence good?", which: "Which concept does “{0}” mean?",
    accept: "Accept", correct: "Correct", reject: "Reject", skipitem: "Skip", undo: "Undo", note: "Note", "did.accept": "Accepted.", "did.correct": "Corrected to {0}.", "did.reject": "Rejected.", "did.skip": "Skipped.", "did.undo": "Taken back.", keys: "Keys",
    correcthint: "Search the right concept, choose with arrow keys and Enter, Escape to give up.", progress: "Progress", items: "items", decided: "decided", conflicts: "disagreements", agreement: "Agreement of reviewers", observed: "agreement", kappa: "kappa", log: "Log", showlog: "Show the log", exporttraining: "Export accepted items as training data", time: "Time", reviewer: "Reviewer", action: "Action", item: "Item", proposed: "Proposed",
    audit: "Blind audit", auditmeans: "What does “{0}” mean in this sentence? Judge each concept by itself, the meaning and not the wording; both may be right, or neither.", "verdict.EXACT": "Exact", "verdict.BROAD": "Too broad", "verdict.NARROW": "Too narrow", "verdict.NO_RELATION": "No relation", "meaning.EXACT": "what the mention means here; nothing that matters clinically is lost or added", "meaning.BROAD": "true, but it leaves out something that the sentence states", "meaning.NARROW": "it adds something that the sentence does not state", "meaning.NO_RELATION": "something else, a neighbouring thing included", "did.judge": "Recorded: {0}.", exportaudit: "Export my verdicts (CSV)",
    noruns: "No figures.", system: "System", recall: "Recall@1", interval: "95 % interval", mentions: "mentions", openreport: "Open the report", counts: "Counts", program: "Program",
  },
  fr: {
    skip: "Aller au contenu", link: "Lier", concepts: "Concepts", review: "Révision", runs: "Résultats", settings: "Réglages", language: "Langue", theme: "Apparence",
    auto: "comme le système", light: "clair", dark: "sombre", name: "Votre nom", key: "Clé d’API", unreachable: "Le serveur ne répond pas.", needkey: "Une clé est nécessaire : Réglages, clé d’API.",
    text: "Texte", texthint: "Saisissez ou collez un texte. Sélectionnez une mention à la souris ou avec Maj et les flèches puis Marquer (Alt+M), ou écrivez [mention]{Groupe}.", example: "Exemple",
    textlanguage: "Langue du texte", group: "Groupe", guess: "deviner", mark: "Marquer la sélection", nothing: "Rien n’est sélectionné.", marked: "Mentions marquées", remove: "Retirer {0}",
    dolink: "Lier", detect: "Trouver les mentions", linked: "{0} mentions liées, {1} incertaines.", uncertain: "incertain", choose: "Choisissez une mention pour voir ses candidats.",
    candidates: "Candidats de « {0} »", nil: "Probabilité qu’aucun ne convienne : {0}", abstained: "Aucun concept de la base ne convient.", broader: "Plus larges", narrower: "Plus précis", path: "Chemin du nom dans l’arbre",
    pathhint: "Chaque jeton avec sa probabilité parmi {0} possibles ; {1} noms commencent ainsi.", sources: "Trouvé par", "source.beam": "modèle de langue", "source.dictionary": "égal à un nom", "source.memory": "égal à une annotation d’entraînement",
    "source.tfidf": "semblable à un nom", "source.training": "semblable à une annotation d’entraînement", "source.reviewer": "choisi ici", earlier: "Plus haut dans ce texte", picked: "{0} choisi pour « {1} ».", otherconcept: "Autre concept", search: "Chercher", exportas: "Exporter en", doexport: "Exporter",
    sendreview: "Envoyer en révision", sent: "{0} mentions ajoutées à la file de révision.", confirm: "Je confirme les concepts choisis", needname: "Indiquez d’abord votre nom dans les réglages.",
    searchconcepts: "Chercher des concepts", searchhint: "Un code, un nom ou son début, dans toute langue ; les fautes de frappe sont tolérées.", hits: "{0} concepts", nohits: "Rien trouvé.", allgroups: "tous les groupes", names: "Noms", definition: "Définition", types: "Types", group1: "Groupe", preferred: "préféré",
    "match.code": "code", "match.exact": "exact", "match.prefix": "début", "match.word": "mot", "match.spread": "mots", "match.typo": "semblable", xrefs: "Autres codes",
    queue: "File", synthetic: "Phrases synthétiques", uncertainlinks: "Liens incertains", empty: "Plus rien à réviser dans cette file.", means: "« {0} » désigne-t-il ce concept, et la phrase est-elle bonne ?", which: "Quel concept « {0} » désigne-t-il ?",
    accept: "Accepter", correct: "Corriger", reject: "Rejeter", skipitem: "Passer", undo: "Annuler", note: "Note", "did.accept": "Accepté.", "did.correct": "Corrigé en {0}.", "did.reject": "Rejeté.", "did.skip": "Passé.", "did.undo": "Annulé.", keys: "Touches",
    correcthint: "Cherchez le bon concept, choisissez avec les flèches et Entrée, Échap pour abandonner.", progress: "Avancement", items: "éléments", decided: "décidés", conflicts: "désaccords", agreement: "Accord des réviseurs", observed: "accord", kappa: "kappa", log: "Journal", showlog: "Afficher le journal", exporttraining: "Exporter les éléments acceptés comme données d’entraînement", time: "Heure", reviewer: "Réviseur", action: "Action", item: "Élément", proposed: "Proposé",
    audit: "Audit en aveugle", auditmeans: "Que désigne « {0} » dans cette phrase ? Jugez chaque concept séparément, le sens et non les mots ; les deux peuvent être justes, ou aucun.", "verdict.EXACT": "Exact", "verdict.BROAD": "Trop large", "verdict.NARROW": "Trop précis", "verdict.NO_RELATION": "Sans rapport", "meaning.EXACT": "ce que la mention désigne ici ; rien de cliniquement important n’est perdu ni ajouté", "meaning.BROAD": "vrai, mais laisse de côté quelque chose que la phrase dit", "meaning.NARROW": "ajoute quelque chose que la phrase ne dit pas", "meaning.NO_RELATION": "autre chose, même voisin", "did.judge": "Enregistré : {0}.", exportaudit: "Exporter mes verdicts (CSV)",
    noruns: "Pas de chiffres.", system: "Système", recall: "Rappel@1", interval: "intervalle à 95 %", mentions: "mentions", openreport: "Ouvrir le rapport", counts: "Décomptes", program: "Programme",
  },
  es: {
    skip: "Ir al contenido", link: "Enlazar", concepts: "Conceptos", review: "Revisión", runs: "Resultados", settings: "Ajustes", language: "Idioma", theme: "Apariencia",
    auto: "como el sistema", light: "claro", dark: "oscuro", name: "Su nombre", key: "Clave de API", unreachable: "El servidor no responde.", needkey: "Se necesita una clave: Ajustes, clave de API.",
    text: "Texto", texthint: "Escriba o pegue un texto. Seleccione una mención con el ratón o con Mayús y flechas y pulse Marcar (Alt+M), o escriba [mención]{Grupo}.", example: "Ejemplo",
    textlanguage: "Idioma del texto", group: "Grupo", guess: "adivinar", mark: "Marcar la selección", nothing: "No hay nada seleccionado.", marked: "Menciones marcadas", remove: "Quitar {0}",
    dolink: "Enlazar", detect: "Buscar menciones", linked: "{0} menciones enlazadas, {1} inciertas.", uncertain: "incierto", choose: "Elija una mención para ver sus candidatos.",
    candidates: "Candidatos de «{0}»", nil: "Probabilidad de que ninguno sea correcto: {0}", abstained: "Ningún concepto de la base encaja.", broader: "Más amplios", narrower: "Más precisos", path: "Camino del nombre en el árbol",
    pathhint: "Cada símbolo con su probabilidad entre {0} posibles; {1} nombres empiezan así.", sources: "Encontrado por", "source.beam": "modelo de lenguaje", "source.dictionary": "igual a un nombre", "source.memory": "igual a una anotación de entrenamiento",
    "source.tfidf": "parecido a un nombre", "source.training": "parecido a una anotación de entrenamiento", "source.reviewer": "elegido aquí", earlier: "Antes en este texto", picked: "{0} elegido para «{1}».", otherconcept: "Otro concepto", search: "Buscar", exportas: "Exportar como", doexport: "Exportar",
    sendreview: "Enviar a revisión", sent: "{0} menciones añadidas a la cola de revisión.", confirm: "Confirmo los conceptos elegidos", needname: "Indique primero su nombre en los ajustes.",
    searchconcepts: "Buscar conceptos", searchhint: "Un código, un nombre o su comienzo en cualquier idioma; se perdonan las erratas.", hits: "{0} conceptos", nohits: "No se encontró nada.", allgroups: "todos los grupos", names: "Nombres", definition: "Definición", types: "Tipos", group1: "Grupo", preferred: "preferido",
    "match.code": "código", "match.exact": "exacto", "match.prefix": "comienzo", "match.word": "palabra", "match.spread": "palabras", "match.typo": "parecido", xrefs: "Otros códigos",
    queue: "Cola", synthetic: "Frases sintéticas", uncertainlinks: "Enlaces inciertos", empty: "No queda nada por revisar en esta cola.", means: "¿«{0}» significa este concepto, y es buena la frase?", which: "¿Qué concepto significa «{0}»?",
    accept: "Aceptar", correct: "Corregir", reject: "Rechazar", skipitem: "Saltar", undo: "Deshacer", note: "Nota", "did.accept": "Aceptado.", "did.correct": "Corregido a {0}.", "did.reject": "Rechazado.", "did.skip": "Saltado.", "did.undo": "Deshecho.", keys: "Teclas",
    correcthint: "Busque el concepto correcto, elija con flechas y Entrar, Escape para abandonar.", progress: "Progreso", items: "elementos", decided: "decididos", conflicts: "desacuerdos", agreement: "Acuerdo entre revisores", observed: "acuerdo", kappa: "kappa", log: "Registro", showlog: "Mostrar el registro", exporttraining: "Exportar los elementos aceptados como datos de entrenamiento", time: "Hora", reviewer: "Revisor", action: "Acción", item: "Elemento", proposed: "Propuesto",
    audit: "Auditoría ciega", auditmeans: "¿Qué significa «{0}» en esta frase? Juzgue cada concepto por separado, el significado y no las palabras; los dos pueden ser correctos, o ninguno.", "verdict.EXACT": "Exacto", "verdict.BROAD": "Demasiado amplio", "verdict.NARROW": "Demasiado específico", "verdict.NO_RELATION": "Sin relación", "meaning.EXACT": "lo que la mención significa aquí; no se pierde ni se añade nada clínicamente importante", "meaning.BROAD": "cierto, pero deja fuera algo que la frase dice", "meaning.NARROW": "añade algo que la frase no dice", "meaning.NO_RELATION": "otra cosa, aunque sea cercana", "did.judge": "Registrado: {0}.", exportaudit: "Exportar mis veredictos (CSV)",
    noruns: "Sin cifras.", system: "Sistema", recall: "Exhaustividad@1", interval: "intervalo del 95 %", mentions: "menciones", openreport: "Abrir el informe", counts: "Recuentos", program: "Programa",
  },
};

let language = "en";
export const languages = Object.keys(words);
export const current = () => language;
export function use(l) { language = words[l] ? l : "en"; document.documentElement.lang = language; }

// t returns the words of a key, {0}, {1} ... replaced.
export function t(key, ...values) {
  const s = words[language][key] ?? words.en[key] ?? key;
  return s.replace(/\{(\d)\}/g, (_, i) => values[i]);
}
