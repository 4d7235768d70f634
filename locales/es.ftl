### Lo que la ventana dice a quien la visita, en español.

language-name = Español
languages = Idioma
demo = DEMO
steps = Pasos
step-scan = Escanear
step-shape = Dar forma
step-meet = Conocerte

waking-title = Un momento.
waking-line = Estamos preparando el escenario.
lost-retry = Intentar otra vez

attract-title = Conócete.
attract-line = Escanea un código, graba tu cara con el móvil y conoce aquí a tu avatar.
attract-start = Empezar
attract-any =
    { $device ->
        [gamepad] o pulsa cualquier botón
        [keyboard] o pulsa cualquier tecla
        [touch] o toca donde quieras
       *[pointer] o haz clic donde quieras
    }

closed-until = Abre de nuevo: { $when }
closed-staff =
    { $device ->
        [gamepad] Para el personal: mantén pulsados Start y Select para abrir los ajustes.
        [keyboard] Para el personal: F10 abre los ajustes.
        [touch] Para el personal: toca cinco veces la esquina superior izquierda para abrir los ajustes.
       *[pointer] Para el personal: pulsa F10, o toca cinco veces la esquina superior izquierda, para abrir los ajustes.
    }

consent-title = Antes de empezar.
consent-agree = Acepto
consent-more = Seguir leyendo
consent-not-now = Ahora no
consent-onward = y luego elige
consent-other-language = Este texto no está disponible en español. Aquí lo tienes en { $language }.

preparing-title = Un momento.
preparing-line = Estamos pidiendo un código solo para ti.
invite-title = Escanea con tu móvil.
invite-demo-title = Mira cómo funciona.
invite-demo-line = Para esta demo no necesitas tu móvil.
invite-demo-step-1 = El móvil escanea el código.
invite-demo-step-2 = Graba una cara.
invite-demo-step-3 = El avatar aparece aquí.
invite-step-1 = Apunta al código con la cámara del móvil.
invite-step-2 = Graba tu cara o elige un avatar que ya tengas.
invite-step-3 = Vuelve a mirar aquí y conoce a tu avatar.
invite-qr = El código para escanear con tu móvil
invite-no-camera = ¿Sin cámara? Abre esto en tu móvil:
invite-time-left = El código caduca en { $clock }
invite-new-code = Otro código
invite-play-phone = Ver la demo
invite-open-phone = Sin móvil

making-found-title = ¡Te encontramos!
making-found-line = Tu móvil está conectado. Mira aquí.
making-found-line-demo = El móvil está conectado. Mira aquí.
making-queue-title = Estás en la cola.
making-queue-line = Ya tenemos tu grabación. No te alejes.
making-queue-next = ¡El próximo turno es el tuyo!
making-queue-place = Puesto { $place } en la cola
making-processing-title = Tu avatar toma forma.
making-processing-line = Rasgo a rasgo, va siendo tú.
making-failed-title = Esa grabación no nos sirve.
making-failed-line = A veces pasa. Escanea el código e inténtalo otra vez, de cara a la luz y sin moverte.
making-failed-line-demo = A veces pasa. Vuelve a ver la demo.
making-unknown-title = Tu avatar está en camino.
making-unknown-line = No te alejes. Verás a tu avatar aquí mismo.
making-left = Tiempo restante: { $time } aprox.
making-left-soon = Faltan solo unos segundos
making-turn = Te toca en { $time } más o menos
making-turn-soon = Te toca en un momento
making-stalled = Tarda más de lo normal. Seguimos en ello.
making-queue-stalled = La cola está parada un momento. No pierdes tu lugar.

lanes-next = Pedir un tique
lanes-next-line = No hace falta que esperes. Toma un tique y vuelve cuando tu avatar esté listo.
lanes-next-automatic = En un momento recibirás un tique. Vuelve cuando tu avatar esté listo.
lanes-full = Ahora mismo no quedan tiques. Tu avatar se queda en esta pantalla.
ticket-name =
    { $symbol ->
            [comet] Meteoro
            [moon] Luna
            [anchor] Ancla
            [bell] Campana
            [kite] Cometa
            [key] Llave
            [leaf] Hoja
            [crown] Corona
            [rocket] Cohete
            [cloud] Nube
            [feather] Pluma
           *[mountain] Montaña
        } { $colour ->
            [blue] azul
            [red] { $symbol ->
                [comet] rojo
                [rocket] rojo
               *[other] roja
            }
            [green] verde
            [yellow] { $symbol ->
                [comet] amarillo
                [rocket] amarillo
               *[other] amarilla
            }
            [orange] naranja
            [purple] { $symbol ->
                [comet] morado
                [rocket] morado
               *[other] morada
            }
            [pink] rosa
           *[white] { $symbol ->
                [comet] blanco
                [rocket] blanco
               *[other] blanca
            }
        }
ticket-title = Tu tique.
ticket-line = Hazle una foto. Cuando tu avatar esté listo, elige tu tique aquí e introduce el código.
ticket-on-phone = También está en tu móvil.
ticket-code = Tu código
ticket-done = Entendido
tickets = Tiques
tickets-ready = Listos para recoger
tickets-making = En preparación
ticket-being-made = { $name }: aún en proceso
ticket-being-recorded = { $name }: aún grabando
ticket-announced = ¡{ $name } ya está!
pickup-title = Introduce tu código.
pickup-line = { $name }: las cuatro cifras están en tu tique.
pickup-making-title = Todavía no.
pickup-making-line = { $name } aún está en proceso. Vuelve dentro de un rato.
pickup-closed-title = Este tique ya no vale.
pickup-closed-line = Pregunta al personal, por favor.
pickup-wrong =
    Ese no es el código de este tique. { $tries ->
            [one] Queda un intento.
           *[other] Quedan { $tries } intentos.
        }
pickup-blocked = Demasiados códigos incorrectos. Espera { $clock }.
pickup-checking = Un momento…
pickup-forgotten = ¿Olvidaste el código? El personal puede abrir tu tique.
pickup-keys = Cifras
pickup-delete = Borrar la última cifra
pickup-entered =
    { $count ->
        [one] Una cifra introducida
       *[other] { $count } cifras introducidas
    }

saving-title = Ya casi está.
saving-line = Tu avatar está listo y viene a esta pantalla.
saving-stalled = La conexión va lenta ahora mismo. Sigue sola.

gate-title = Tu avatar está listo.
gate-line = ¿Es tuyo? Échale un vistazo. Hasta entonces no se muestra nada.
gate-show = Quiero verlo
gate-not-mine = No es mío

reveal-title = Aquí estás.
reveal-title-portrait = Tu retrato.
reveal-title-card = Tu avatar está guardado.
reveal-turn =
    { $device ->
        [touch] Desliza para girar.
       *[pointer] Arrastra para girar.
    }
reveal-lighting = Encendemos las luces…
reveal-canvas = Tu avatar, girando bajo la luz
reveal-portrait = El retrato de tu avatar
reveal-me = Usar este avatar
reveal-again = Repetir
reveal-delete = Borrar mi avatar
reveal-faces = Haz una mueca
reveal-welcome-title = Encantados de conocerte.
reveal-welcome-line = Tu avatar está guardado. Aquí empieza un juego, contigo dentro.
reveal-welcome-line-unsaved = Aquí empieza un juego, contigo dentro.
reveal-finish = Terminar
face-smile = Sonrisa
face-wink = Guiño
face-surprise = Sorpresa
face-kiss = Beso
face-frown = Enfado

keep-for-ever = Tu avatar se queda guardado en esta consola.
keep-while-here = Tu avatar se borrará de esta consola cuando te vayas.
keep-until-finished = Tu avatar se borrará cuando termines o repitas.
keep-hours =
    { $count ->
        [one] Tu avatar se borrará de esta consola al cabo de una hora.
       *[other] Tu avatar se borrará de esta consola al cabo de { $count } horas.
    }
keep-days =
    { $count ->
        [one] Tu avatar se borrará de esta consola al cabo de un día.
       *[other] Tu avatar se borrará de esta consola al cabo de { $count } días.
    }
forget-me = Borrar mis datos
forget-title = ¿Borrarlo todo?
forget-ask = Se borrarán de esta consola los archivos y el historial de esta visita. No se puede deshacer.
forget-keep = Conservar
forget-yes = Sí, borrar
forgetting-title = Borrando…
forgetting-line = Se están borrando los archivos y el historial de esta visita.
forgotten-title = Borrado.
forgotten-line = Aquí no se guarda nada tuyo.
forget-failed-title = No se ha podido borrar todo.
forget-failed-line = Avisa al personal, por favor: puede borrar el resto.

ended-again = Empezar de nuevo

leave-back = Atrás
leave-title = ¿Salir ya?
leave-ask = Tu avatar no volverá a verse aquí.
leave-ask-making = Tu avatar se terminará igualmente, pero no volverá a verse aquí.
leave-ask-failed = Este código dejará de valer.
leave-stay = Quedarme
leave-leave = Salir
leave-delete = Salir y borrar
idle-title = ¿Sigues ahí?
idle-line =
    { $seconds ->
        [one] Esta pantalla se borra en un segundo para quien venga después.
        [many] Esta pantalla se borra en { $seconds } de segundos para quien venga después.
       *[other] Esta pantalla se borra en { $seconds } segundos para quien venga después.
    }
idle-line-unsaved =
    { $seconds ->
        [one] En un segundo se borran esta pantalla y tu avatar.
        [many] En { $seconds } de segundos se borran esta pantalla y tu avatar.
       *[other] En { $seconds } segundos se borran esta pantalla y tu avatar.
    }
idle-stay = Aquí estoy
idle-leave = Despejar la pantalla
idle-spoken = ¿Sigues ahí? Esta pantalla está a punto de borrarse para la próxima persona.
idle-spoken-unsaved = ¿Sigues ahí? Esta pantalla y tu avatar están a punto de borrarse.

hint-choose = Elegir
hint-back = Atrás
hint-language = Idioma
hint-turn = Girar

problem-saved = Tu avatar está aquí.
    .do = Échale un vistazo.
problem-saved-in-part = Una parte de tu avatar no ha llegado.
    .do = Empieza otra vez con otro código para tenerlo entero.
problem-credentials-refused = Esta consola aún no está lista.
    .do = Avisa al personal, por favor.
problem-credentials-missing = Esta consola aún no está lista.
    .do = Avisa al personal, por favor.
problem-token-refused = Este código no ha funcionado.
    .do = Probemos con otro.
problem-token-expired = Este código ha caducado.
    .do = Otro nuevo llega en un segundo.
problem-avatar-failed = Esta vez tu avatar no ha salido bien.
    .do = Ayuda tener luz uniforme en la cara. Inténtalo otra vez.
problem-backend-unreachable = Ahora mismo no llegamos al estudio de avatares.
    .do = Dale un momento. Si sigue así, avisa al personal, por favor.
problem-answer-lost = Se ha cortado la conexión.
    .do = Lo intentamos de nuevo.
problem-download-interrupted = La descarga está en pausa.
    .do = Tu avatar está a salvo. Llegará en cuanto vuelva la conexión.
problem-backend-busy = El estudio de avatares tiene mucho trabajo.
    .do = Solo un momento.
problem-backend-failing = El estudio de avatares tiene un problema ahora mismo.
    .do = Dale un momento. Si sigue así, avisa al personal, por favor.
problem-gate = Esta red no nos deja llegar al estudio de avatares.
    .do = Avisa al personal, por favor.
problem-no-api = Esta consola aún no está lista.
    .do = Avisa al personal, por favor.
problem-protocol-broken = El estudio de avatares ha contestado algo que no entendemos.
    .do = Avisa al personal, por favor.
problem-possibly-consumed = La conexión se cortó en mal momento.
    .do = Empieza otra vez con otro código, por favor.
problem-timed-out = Se acabó el tiempo antes de que llegara tu avatar.
    .do = Con otro código se empieza de nuevo.
problem-storage-failed = Esta consola no puede guardar nada ahora mismo.
    .do = Avisa al personal, por favor.
problem-disk-full = A esta consola no le queda espacio.
    .do = Avisa al personal, por favor.
problem-token-abandoned = Este código es demasiado antiguo.
    .do = Otro nuevo llega en un segundo.
problem-forget-incomplete = No se ha podido borrar todo.
    .do = Avisa al personal, por favor.
problem-interrupted = ¡Hasta pronto!
    .do = Empieza otra vez cuando quieras.
problem-outside-hours = Ahora está cerrado.
    .do = ¡Hasta luego!
problem-configuration = Esta consola aún no está lista.
    .do = Avisa al personal, por favor.
problem-window-lost = Algo se ha atascado.
    .do = Inténtalo otra vez o avisa al personal.
problem-window-refused = No ha funcionado.
    .do = Inténtalo otra vez, por favor.
